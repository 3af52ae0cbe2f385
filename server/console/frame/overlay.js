// What lies over the page: dialogues that keep the focus, and short messages with a way back.
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { html, signal, useEffect, useRef } from "./ui.js";

const SHOWN_MS = 6_000;
const toasts = signal([]);
const heard = signal("");
let count = 0;

/** A modal dialogue with a title; Escape and a click beside it close it. */
export function Dialog({ title, close, children, wide, bare }) {
  const node = useRef(null);
  useEffect(() => {
    const before = document.activeElement;
    node.current.showModal();
    return () => before?.focus?.();
  }, []);
  const beside = (event) => event.target === node.current && close();
  return html`<dialog class=${wide ? "wide" : ""} ref=${node} aria-label=${title} onClose=${close} onClick=${beside}>
    <div class="sheet">
      ${!bare && html`<header class="sheet-head"><h2>${title}</h2>
        <button type="button" class="icon-button" onClick=${close} aria-label=${t("close")} title=${t("close")}>${icon("close")}</button></header>`}
      ${children}
    </div>
  </dialog>`;
}

/** Shows a short message; `undo` offers a way back, `tone` may be "bad". */
export function toast(text, { undo, tone = "", label = t("undo"), ms = SHOWN_MS } = {}) {
  const id = (count += 1);
  const gone = () => {
    toasts.value = toasts.value.filter((each) => each.id !== id);
  };
  const timer = setTimeout(gone, ms);
  const back = undo && (() => (clearTimeout(timer), gone(), undo()));
  toasts.value = [...toasts.value.slice(-2), { id, text, tone, back, label, gone }];
  return gone;
}

/** Shows what a refusal says. */
export const failed = (error) => {
  if (error.status === undefined) throw error;
  toast(error.message, { tone: "bad", ms: 9_000 });
};

/** Says something to screen readers only, once. */
export const announce = (text) => {
  heard.value = text;
};

export function Toasts() {
  return html`<div class="toasts" role="region" aria-label=${t("frame.messages")}>
    <div role="status" aria-live="polite">${toasts.value.map((each) => html`<div class=${`toast ${each.tone}`} key=${each.id}>
      <span>${each.text}</span>
      ${each.back && html`<button type="button" class="text" onClick=${each.back}>${each.label}</button>`}
      <button type="button" class="icon-button small" onClick=${each.gone} aria-label=${t("close")}>${icon("close")}</button>
    </div>`)}</div>
    <p class="unseen" role="status" aria-live="polite">${heard.value}</p>
  </div>`;
}
