// Words that are offered while one writes: canned replies behind "/", colleagues behind "@".
import { api, queryOf } from "../../frame/api.js";
import { t } from "../../frame/i18n.js";
import { html, signal } from "../../frame/ui.js";

const MOST = 7;
const replies = signal({ conversation: "", rows: [] });
const colleagues = signal(null);

/** Reads the canned replies, filled in for a conversation. */
export async function readCanned(conversation) {
  if (replies.value.conversation === conversation) return;
  replies.value = { conversation, rows: [] };
  const found = await api("GET", `/api/canned${queryOf({ conversation })}`);
  replies.value = { conversation, rows: found.replies };
}

/** Reads who can be mentioned, once. */
export async function readColleagues() {
  if (colleagues.value) return;
  colleagues.value = [];
  colleagues.value = (await api("GET", "/api/colleagues")).people;
}

/** The sign and the letters behind it at the end of a text, null without one. */
export function asked(text, note) {
  const found = (note ? /(?:^|\s)@([\p{L}\p{N}_.-]{0,30})$/u : /(?:^|\s)\/([\p{L}\p{N}_-]{0,30})$/u).exec(text);
  return found ? found[1].toLowerCase() : null;
}

/** What fits the letters: rows of {id, name, text, put}. */
export function fitting(letters, note) {
  const all = note
    ? (colleagues.value || []).map((one) => ({ id: one.id, name: `@${one.name}`, text: t(`roles.${one.role}`), put: `@${one.name} ` }))
    : replies.value.rows.map((one) => ({ id: one.id, name: `/${one.short}`, text: one.filled, put: one.filled, missing: one.missing }));
  const begins = (row) => row.name.slice(1).toLowerCase().startsWith(letters);
  return all.filter((row) => `${row.name} ${row.text}`.toLowerCase().includes(letters)).sort((a, b) => begins(b) - begins(a)).slice(0, MOST);
}

/** A text with an offer in place of the letters that asked for it. */
export const put = (text, row) => text.replace(/[/@][\p{L}\p{N}_.-]{0,30}$/u, () => row.put);

/** Ids of the colleagues whose names stand behind an @. */
export const mentioned = (text) => (colleagues.value || []).filter((one) => text.includes(`@${one.name}`)).map((one) => one.id);

/** The list above the composer; `at` is the chosen line. */
export const Offers = ({ rows, at, choose, note }) => html`<ul class="canned" role="listbox" id="offers" aria-label=${t(note ? "composer.colleagues" : "composer.canned")}>
  ${rows.map((row, index) => html`<li key=${row.id} id=${`offer-${index}`} role="option" aria-selected=${index === at} onMouseDown=${(event) => (event.preventDefault(), choose(row))}>
    <b>${row.name}</b><span>${row.text}</span></li>`)}
  ${rows.length === 0 && html`<li class="soft" role="option" aria-selected="false" aria-disabled="true">${t(note ? "composer.nobody" : "composer.noCanned")}</li>`}</ul>`;
