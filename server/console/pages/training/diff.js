// What changed between two texts, word by word.
import { t } from "../../frame/i18n.js";
import { html } from "../../frame/ui.js";

const MOST = 600; // words of each text that are compared; longer ones are shown side by side without marks

const words = (text) => text.match(/\S+\s*/g) || [];
const same = (one, other) => one.trimEnd() === other.trimEnd();

/** Pieces {kind: "same" | "gone" | "new", text} by the longest common sequence of words. */
export function pieces(before, after) {
  const [left, right] = [words(before), words(after)];
  if (left.length > MOST || right.length > MOST) return [{ kind: "gone", text: before }, { kind: "new", text: after }];
  const length = Array.from({ length: left.length + 1 }, () => new Uint16Array(right.length + 1));
  for (let i = left.length - 1; i >= 0; i -= 1) {
    for (let j = right.length - 1; j >= 0; j -= 1) length[i][j] = same(left[i], right[j]) ? length[i + 1][j + 1] + 1 : Math.max(length[i + 1][j], length[i][j + 1]);
  }
  const found = [];
  const add = (kind, text) => (found.at(-1)?.kind === kind ? (found.at(-1).text += text) : found.push({ kind, text }));
  let [i, j] = [0, 0];
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && same(left[i], right[j])) add("same", (i += 1, right[j++]));
    else if (j >= right.length || (i < left.length && length[i + 1][j] >= length[i][j + 1])) add("gone", left[i++]);
    else add("new", right[j++]);
  }
  return found;
}

/** One side of a change: what went is struck through, what came is underlined. */
export function Changed({ before, after, side }) {
  const other = side === "before" ? "new" : "gone";
  return html`<p class="words" dir="auto">${pieces(before, after).filter((piece) => piece.kind !== other).map((piece) => (piece.kind === "same" ? piece.text
    : piece.kind === "gone" ? html`<del><span class="unseen">${t("training.gone")} </span>${piece.text}</del>` : html`<ins><span class="unseen">${t("training.new")} </span>${piece.text}</ins>`))}</p>`;
}
