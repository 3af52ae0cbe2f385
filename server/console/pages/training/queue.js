// The review queue as this person sees it: near-equal examples once, oldest first, and each decision with a way back.
import { api, queryOf } from "../../frame/api.js";
import { t } from "../../frame/i18n.js";
import { failed, toast } from "../../frame/overlay.js";
import { go, route } from "../../frame/router.js";
import { batch, signal } from "../../frame/ui.js";
import { place } from "./common.js";

const PAGE = 50;
const MOST = 200;
const UNDO_MS = 10_000;
export const FILTERS = ["behaviour", "origin"];
export const queue = signal(null);
export const figures = signal(null); // {waiting, clusters, barred, judged, may_decide}
export const trouble = signal(null);
export const going = signal(new Set()); // judged here, the server has not said so yet
let next = null;
let asked = 0;
const known = new Map(); // id -> promise of the whole example

const filters = () => Object.fromEntries(FILTERS.map((name) => [name, route.value.query[name] || ""]));
const page = (cursor, limit) => api("GET", `/api/examples/queue${queryOf({ ...filters(), limit, cursor })}`);

/** Reads the queue from its beginning, as much as is shown. */
export async function readQueue() {
  const mine = (asked += 1);
  try {
    const found = await page("", Math.min(MOST, Math.max(PAGE, queue.value?.length || 0)));
    if (mine !== asked) return;
    const { queue: rows, next: more, ...counted } = found;
    batch(() => {
      queue.value = rows.filter((row) => !going.value.has(row.id));
      figures.value = counted;
      trouble.value = null;
    });
    next = more;
  } catch (error) {
    if (error.status === undefined) throw error;
    if (mine === asked) trouble.value = error;
  }
}

/** Reads on behind what is shown. */
export async function readMore() {
  if (!next) return;
  const cursor = next;
  next = null;
  try {
    const found = await page(cursor, PAGE);
    const ids = new Set(queue.value.map((row) => row.id));
    queue.value = [...queue.value, ...found.queue.filter((row) => !ids.has(row.id))];
    next = found.next;
  } catch (error) {
    next = cursor;
    failed(error);
  }
}

/** Everything about an example; the one behind it is fetched before anybody asks. */
export function whole(id) {
  if (!known.has(id)) {
    if (known.size > 30) known.clear();
    known.set(id, api("GET", `/api/examples/${id}`).catch((error) => (known.delete(id), Promise.reject(error))));
  }
  return known.get(id);
}

export const forget = (id) => known.delete(id);

/** The place of an example in the queue; `by` steps further. */
export function beside(id, by) {
  const rows = queue.value || [];
  const index = rows.findIndex((row) => row.id === id);
  return rows[index < 0 ? (by > 0 ? 0 : rows.length - 1) : index + by] || null;
}

export const visit = (id, how = { replace: true }) => go(place("review", id), route.value.query, how);

/** Takes words back: the examples wait again, the first of them is shown. */
async function reopen({ ids, before }) {
  try {
    for (const id of ids) await api("POST", `/api/examples/${id}/reopen`, {});
    if (before) await api("PUT", `/api/examples/${ids[0]}/target`, before);
  } finally {
    ids.forEach(forget);
    await readQueue();
  }
  visit(ids[0]);
  toast(t("review.reopened"));
}

let lastUndo = null;

/** Takes the last decision back. */
export async function undoLast() {
  const last = lastUndo;
  lastUndo = null;
  if (last) await reopen(last);
}

/** Judges an example, with `alike` all that are near-equal to it; the next one is shown at once. */
export async function decide(row, verdict, { reasons = [], alike = false, before = null } = {}) {
  const then = beside(row.id, 1) || beside(row.id, -1);
  batch(() => {
    going.value = new Set([...going.value, row.id]);
    queue.value = queue.value.filter((each) => each.id !== row.id);
  });
  visit(then?.id || "");
  try {
    const ids = alike ? (await api("GET", `/api/examples/${row.id}/alike`)).ids : [row.id];
    const needed = await (alike ? many(ids, verdict, reasons) : one(row.id, verdict, reasons));
    ids.forEach(forget);
    const mine = (lastUndo = { ids, before });
    toast(t(`review.said.${verdict}`, { n: ids.length }) + (needed ? ` ${t("review.second", { n: needed })}` : ""), { ms: UNDO_MS, undo: () => reopen(mine).catch(failed) });
  } catch (error) {
    queue.value = [row, ...queue.value];
    visit(row.id);
    throw error;
  } finally {
    going.value = new Set([...going.value].filter((id) => id !== row.id));
    await readQueue();
  }
}

async function one(id, verdict, reasons) {
  return (await api("POST", `/api/examples/${id}/${verdict}`, { reasons })).needed;
}

async function many(ids, verdict, reasons) {
  const done = await api("POST", "/api/examples/decide", { ids, verdict, reasons });
  if (done.refused.length) toast(t("review.refused", { n: done.refused.length, why: done.refused[0].detail }), { tone: "bad" });
  return done.decided[0]?.needed ?? 0;
}

/** Puts other words into an example and says yes to them; `before` are its words until now. */
export async function rewrite(row, target, before) {
  await api("PUT", `/api/examples/${row.id}/target`, target);
  forget(row.id);
  await decide(row, "approve", { before });
}
