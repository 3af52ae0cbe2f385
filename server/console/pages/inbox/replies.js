// Replies on their way: shown at once, held by the server for some seconds so that they can be taken back, sent once.
import { api } from "../../frame/api.js";
import { t } from "../../frame/i18n.js";
import { announce } from "../../frame/overlay.js";
import { signal } from "../../frame/ui.js";
import { open, readOpen } from "./desk.js";
import { accepted } from "./suggest.js";

export const sending = signal([]); // {key, conversation, text, note, state: sending | failed, why}

const change = (key, values) => {
  sending.value = sending.value.map((each) => (each.key === key ? { ...each, ...values } : each));
};

/** Takes a reply that failed away; answers its text, "" of a template. */
export function drop(key) {
  const found = sending.value.find((each) => each.key === key);
  sending.value = sending.value.filter((each) => each.key !== key);
  return found && !found.template ? found.text : "";
}

/** Hands a reply to the server, or again: the same key is taken only once. */
export async function deliver(key) {
  const { conversation, note, claim, text, uploads, mentions, suggested, template } = sending.value.find((each) => each.key === key);
  change(key, { state: "sending" });
  const at = `/api/conversations/${conversation}`;
  try {
    if (claim) await api("POST", `${at}/claim`);
    if (note) await api("POST", `${at}/notes`, { text, mentions });
    else await api("POST", `${at}/send`, template ? { template } : { text, uploads, suggested }, { headers: { "Idempotency-Key": key } });
    announce(t(note ? "note.kept" : "composer.held"));
    await readOpen(conversation);
    drop(key);
  } catch (error) {
    if (error.status === undefined) throw error;
    change(key, { state: "failed", why: error.message });
  }
}

/** Puts a reply, or a note for colleagues, on its way. */
export function send(conversation, text, { note = false, claim = false, uploads = [], mentions = [], template = null } = {}) {
  const key = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
  const suggested = (!note && !template && accepted.get(conversation)) || "";
  if (!note && !template) accepted.delete(conversation);
  sending.value = [...sending.value, { key, suggested, conversation, text, note, claim, uploads, mentions, template, state: "sending" }];
  return deliver(key);
}

/** Takes a held reply back; answers its text. */
export async function takeBack(conversation, message) {
  const taken = await api("DELETE", `/api/conversations/${conversation}/send/${message}`);
  const desk = open.value.desk;
  open.value = { ...open.value, desk: { ...desk, scheduled: desk.scheduled.filter((each) => each.id !== message) } };
  return taken.text;
}

/** Sends again what surely did not arrive. */
export async function again(conversation, message) {
  await api("POST", `/api/conversations/${conversation}/messages/${message}/retry`);
  await readOpen(conversation);
}
