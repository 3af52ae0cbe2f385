// What the training pages share: places, names of people, lengths of time, small figures.
import { api } from "../../frame/api.js";
import { number, percent, t } from "../../frame/i18n.js";
import { listen } from "../../frame/live.js";
import { optional, person } from "../../frame/session.js";
import { classes, html, signal, useEffect } from "../../frame/ui.js";

export const ROOT = "/training";
export const STEPS = ["review", "data", "run", "compare", "promote"];
const SETTLE_MS = 400; // several events that belong together are one reason to look again

/** The address of a step and a place inside it. */
export const place = (step, id = "") => `${ROOT}/${step}${id && `/${encodeURIComponent(id)}`}`;

const names = signal(new Map());
let asked = null;

/** Reads what colleagues are called, once. */
export function readNames() {
  asked ??= optional(() => api("GET", "/api/colleagues")).then((found) => (names.value = new Map((found?.people || []).map((one) => [one.id, one.name]))), () => (asked = null));
}

/** What somebody is called; a key, the command line or the server by their own words. */
export function nameOf(id) {
  if (!id) return t("training.nobody");
  if (id === person.value?.id) return t("training.you");
  const [kind, rest] = id.split(":");
  return names.value.get(id) ?? (rest ? `${t(`training.by.${kind}`)} ${rest}` : t("training.somebody"));
}

/** A length of time in two units at most. */
export function lasting(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 90) return t("time.s", { n: Math.round(seconds) });
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return t("time.min", { n: minutes });
  return `${t("time.h", { n: Math.floor(minutes / 60) })} ${t("time.min", { n: minutes % 60 })}`;
}

/** The beginning of a digest or id. */
export const short = (id) => (id || "").replace(/^sha256:/, "").slice(0, 12);

/** A share as percent, or a dash. */
export const share = (value) => (value === null || value === undefined ? "–" : percent(value));

/** A figure with two digits, or a dash. */
export const figure = (value) => (value === null || value === undefined ? "–" : number(value));

export const TONES = { promote: "good", reject: "bad", not_enough_evidence: "warn", kept: "good", broken: "bad", doubtful: "warn", few: "", live: "good", canary: "warn", done: "good", failed: "bad", declined: "warn", running: "warn", queued: "" };

/** A state as a chip with its colour; the word says it too. */
export const State = ({ group, code }) => html`<span class=${classes("chip", TONES[code])}>${t(`training.${group}.${code}`)}</span>`;

/** Looks again when something of these kinds happened, at most twice in a second. */
export function useNews(kinds, look) {
  useEffect(() => {
    let timer = 0;
    const stop = listen(({ event }) => {
      if (!kinds.includes(event) && event !== "tick" && event !== "reset") return;
      timer ||= setTimeout(() => ((timer = 0), look()), SETTLE_MS);
    });
    return () => (stop(), clearTimeout(timer));
  }, []);
}

/** Marks what was loaded but not understood: nothing is shown without a way on. */
export const Trouble = ({ error, again }) => error && html`<p class="note bad" role="alert">${error.message} ${again && html`<button type="button" class="text" onClick=${again}>${t("retry")}</button>`}</p>`;
