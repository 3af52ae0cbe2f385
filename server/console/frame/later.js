// Actions with a way back: they wait a few seconds for "Undo" and run at once when the page is left.
import { t } from "./i18n.js";
import { failed, toast } from "./overlay.js";

export const UNDO_MS = 5_000;
const waiting = new Set();

/** Runs `run` after the time for undoing; `undone` puts back what was shown. Answers a way to run it now. */
export function later(text, run, undone = () => {}) {
  const one = { go: () => {} };
  const end = () => (clearTimeout(timer), waiting.delete(one));
  one.go = () => {
    if (!end()) return;
    gone();
    Promise.resolve(run()).catch((error) => (undone(), failed(error)));
  };
  const timer = setTimeout(one.go, UNDO_MS);
  const gone = toast(text, { ms: UNDO_MS, label: t("undo"), undo: () => end() && undone() });
  waiting.add(one);
  return one.go;
}

addEventListener("pagehide", () => [...waiting].forEach((one) => one.go()));
