// Hearing no more of a customer, and hearing them again.
import { api } from "../../frame/api.js";
import { t } from "../../frame/i18n.js";
import { failed, toast } from "../../frame/overlay.js";
import { readList, readOpen } from "./desk.js";

async function set(id, on) {
  await api(on ? "POST" : "DELETE", `/api/conversations/${id}/block`, on ? {} : undefined);
  await Promise.all([readOpen(id), readList()]);
}

/** Blocks the customer of a conversation, or unblocks them; blocking can be taken back. */
export async function block(row) {
  const on = !row.banned_at;
  await set(row.id, on);
  toast(t(on ? "block.done" : "block.undone"), on ? { undo: () => set(row.id, false).catch(failed) } : {});
}
