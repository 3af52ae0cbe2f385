// Examples as lines, and the choices that narrow them.
import { t, word } from "../../frame/i18n.js";
import { href, patch, route } from "../../frame/router.js";
import { html } from "../../frame/ui.js";
import { place } from "./common.js";

/** Codes by which examples are narrowed down. */
export const FILTERS = { status: ["approved", "pending", "rejected", "withdrawn"], behaviour: ["grounded", "refusal", "handoff", "tool_call", "tool_ask", "chat", "style", "general"], origin: ["correction", "staff_reply", "confirmed", "tool_call", "refusal", "handoff", "import"] };

/** One choice that lives in the address. */
export const Filter = ({ name, codes, group = `training.${name}` }) => html`<select aria-label=${t(`training.by_${name}`)} value=${route.value.query[name] || ""} onChange=${(event) => patch({ [name]: event.currentTarget.value }, { replace: true })}>
  <option value="">${t(`training.any_${name}`)}</option>${codes.map((code) => html`<option key=${code} value=${code}>${word(group, code)}</option>`)}</select>`;

/** Examples or rows of a dataset as lines that lead to the example. */
export const Lines = ({ rows, split }) => html`<ul class="lines">${rows.map((row) => html`<li key=${row.id}><div class="what"><a href=${href(place("review", row.id))} dir="auto"><b>${row.question}</b></a><span dir="auto">${row.target.content || (row.target.tool_calls || []).map((call) => call.name).join(", ")}</span></div>
  <span class="acts">${split && html`<span class=${row.split === "heldout" ? "chip good" : "chip"}>${t(`data.split.${row.split}`)}</span>`}${split && !row.usable && html`<span class="chip bad">${t("data.takenOut")}</span>`}
    <span class="chip">${word("training.behaviour", row.behaviour)}</span><span class="chip">${word("training.origin", row.origin)}</span>${!split && html`<span class=${row.status === "approved" ? "chip good" : "chip"}>${t(`training.status.${row.status}`)}</span>`}</span></li>`)}</ul>`;
