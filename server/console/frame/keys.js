// Keyboard shortcuts: single keys never fire while somebody types or a dialogue is open, and can be turned off.
import { signal, useEffect, useRef } from "./ui.js";

const KEPT = "frontdesk.keys";
const TYPING = "input, textarea, select, [contenteditable]";
export const bound = signal([]);
export const singleKeys = signal(localStorage.getItem(KEPT) !== "off");

/** Turns single-key shortcuts on or off in this browser. */
export function allowSingle(on) {
  localStorage.setItem(KEPT, on ? "on" : "off");
  singleKeys.value = on;
}

/** A key press as text: "j", "Shift+e", "Mod+k" (Ctrl, or Cmd on a Mac), "Mod+Enter". */
export function spell(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const shift = event.shiftKey && (event.key.length > 1 || /[a-z]/.test(key)) ? "Shift+" : "";
  return (event.ctrlKey || event.metaKey ? "Mod+" : "") + (event.altKey ? "Alt+" : "") + shift + key;
}

const isTyping = (target) => Boolean(target.closest?.(TYPING)) && target.type !== "checkbox" && target.type !== "radio";

/** Binds keys while a view is shown: rows of {keys, label (a word's key), group, run, always (also while typing), hidden}.
 * The newest binding of a key wins; `run` may answer false to let the key do what the browser does with it. */
export function useKeys(rows) {
  const current = useRef(rows);
  current.current = rows;
  useEffect(() => {
    const mine = rows.map((row, index) => ({ ...row, run: (event) => current.current[index].run(event) }));
    bound.value = [...mine, ...bound.value];
    return () => {
      bound.value = bound.value.filter((row) => !mine.includes(row));
    };
  }, []);
}

function press(event) {
  if (event.isComposing || event.defaultPrevented) return;
  const keys = spell(event);
  const busy = isTyping(event.target) || document.querySelector("dialog[open]");
  const hit = bound.value.find((row) => row.keys === keys && (row.always || !busy));
  if (!hit || (!hit.always && !keys.includes("Mod+") && !singleKeys.value)) return;
  if (hit.run(event) !== false) event.preventDefault();
}

/** Starts listening; once, at the start. */
export const startKeys = () => document.addEventListener("keydown", press);

const MAC = /mac|iphone|ipad/i.test(navigator.platform);
const SHOWN = { Mod: MAC ? "⌘" : "Ctrl", Shift: MAC ? "⇧" : "Shift", Alt: MAC ? "⌥" : "Alt", Enter: "↵", Escape: "Esc" };

/** The parts of a shortcut as they stand on the keys. */
export const caps = (keys) => keys.split("+").map((part) => SHOWN[part] || (part.length === 1 ? part.toUpperCase() : part));
