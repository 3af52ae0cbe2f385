// One import for everything a view is made of.
import { h } from "../vendor/preact.js";
import htm from "../vendor/htm.js";

export { Fragment, render } from "../vendor/preact.js";
export { useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/hooks.js";
export { batch, computed, effect, signal, untracked, useComputed, useSignal } from "../vendor/signals.js";

/** Elements written as a tagged template; text always becomes text, never markup. */
export const html = htm.bind(h);

/** Class names of the truthy parts. */
export const classes = (...parts) => parts.filter(Boolean).join(" ");
