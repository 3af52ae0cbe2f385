// A reply drafted by the model: it is shown beside the composer and never sends itself.
import { Refusal, request } from "../../frame/api.js";
import { t } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { announce, failed } from "../../frame/overlay.js";
import { parser } from "../../frame/stream.js";
import { html, signal } from "../../frame/ui.js";

const STYLES = ["shorter", "friendlier", "formal"];
const NONE = { conversation: "", text: "", state: "none" };
export const suggestion = signal(NONE);
export const accepted = new Map(); // conversation -> the draft that its reply began as
let controller = null;

/** Takes the draft away. */
export function dismiss() {
  controller?.abort();
  suggestion.value = NONE;
}

const refused = async (answer) => new Refusal(answer.status, (await answer.json().catch(() => null)) || {});

async function read(answer, conversation) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const parse = parser();
  let text = "";
  for (let { value, done } = await reader.read(); !done; { value, done } = await reader.read()) {
    for (const { event, data } of parse(value)) {
      if (event === "error") throw new Refusal(503, data);
      text = event === "done" || data.instead ? data.text : text + data.text;
      suggestion.value = { conversation, text, state: event === "done" ? "done" : "writing" };
    }
  }
  announce(t("suggest.ready"));
}

/** Asks the model for a draft, or to put `text` into another style. */
export async function suggest(conversation, { style = "", text = "" } = {}) {
  dismiss();
  controller = new AbortController();
  suggestion.value = { conversation, text: "", state: "writing" };
  try {
    const answer = await request("POST", `/api/conversations/${conversation}/suggestion`, { body: { style, text }, signal: controller.signal });
    if (!answer.ok) throw await refused(answer);
    await read(answer, conversation);
  } catch (error) {
    if (error.name === "AbortError") return;
    suggestion.value = NONE;
    failed(error);
  }
}

/** The draft above the composer. */
export function Suggestion({ conversation, accept, leave }) {
  const { text, state, conversation: of } = suggestion.value;
  if (state === "none" || of !== conversation) return null;
  return html`<section class="suggestion" aria-label=${t("suggest.title")}>
    <header>${icon("spark", 14)}<b>${t("suggest.title")}</b><span class="soft grow">${t(state === "writing" ? "suggest.writing" : "suggest.how")}</span></header>
    <p dir="auto">${text || "…"}</p>
    ${state === "done" && html`<footer class="acts"><button type="button" class="small main" onClick=${accept}>${t("suggest.accept")} <kbd>Tab</kbd></button>
      <button type="button" class="small" onClick=${() => suggest(conversation)}>${t("suggest.again")}</button>
      ${STYLES.map((style) => html`<button type="button" class="small" key=${style} onClick=${() => suggest(conversation, { style, text })}>${t(`suggest.${style}`)}</button>`)}
      <button type="button" class="small" onClick=${() => (dismiss(), leave())}>${t("suggest.dismiss")} <kbd>Esc</kbd></button></footer>`}
  </section>`;
}
