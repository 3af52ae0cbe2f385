// What the inbox knows: the list of the chosen view, the open conversation, and who else is there.
import { api, queryOf } from "../../frame/api.js";
import { listen } from "../../frame/live.js";
import { failed } from "../../frame/overlay.js";
import { route } from "../../frame/router.js";
import { optional, person } from "../../frame/session.js";
import { batch, signal } from "../../frame/ui.js";

const PAGE = 50;
const MOST = 200; // rows of one request

export const FILTERS = ["view", "q", "channel", "account", "owner", "label", "priority", "team", "sort"];
export const TICKETS = "tickets"; // the view that lists tickets instead of conversations
export const rows = signal(null);
export const views = signal(null);
export const labels = signal([]);
export const teams = signal([]);
export const trouble = signal(null);
export const open = signal(null); // the conversation on the screen: its detail, with `desk` for what staff have around it
export const missing = signal(null); // why it cannot be shown
export const drafting = signal(new Set()); // conversations the assistant writes to now
export const beside = signal({}); // conversation -> who else looks at it
let next = null;
let asked = 0;
let turns = 0;
let fetching = false;

/** Filters as they stand in the address. */
export const filters = () => Object.fromEntries(FILTERS.map((name) => [name, route.value.query[name] || ""]));

const page = (cursor, limit) => filters().view === TICKETS ? Promise.resolve({ conversations: [], next: null }) : api("GET", `/api/inbox${queryOf({ ...filters(), view: filters().view || "all", limit, cursor })}`);

// The list that the address names is asked for while the console still starts; whoever is a stranger is sent away there.
const here = () => JSON.stringify(filters());
let early = /^\/(inbox|$)/.test(route.value.path) ? { key: here(), found: page("", PAGE) } : null;
early?.found.catch(() => {});

function first(limit) {
  const before = early;
  early = null;
  return before?.key === here() ? before.found : page("", limit);
}

/** Reads the list from its beginning, as much of it as is shown. */
export async function readList() {
  const mine = (asked += 1);
  const limit = Math.min(MOST, Math.max(PAGE, rows.value?.length ?? 0));
  try {
    const found = await first(limit);
    if (mine !== asked) return; // a later question is on its way
    const ids = new Set(found.conversations.map((row) => row.id));
    const older = found.next ? (rows.value || []).slice(limit).filter((row) => !ids.has(row.id)) : []; // also what came meanwhile
    batch(() => {
      rows.value = [...found.conversations, ...older];
      trouble.value = null;
    });
    if (!older.length) next = found.next;
  } catch (error) {
    if (error.status === undefined) throw error;
    if (mine === asked) trouble.value = error;
  }
}

/** Reads on behind what is shown. */
export async function readMore() {
  if (!next || fetching) return;
  fetching = true;
  const mine = turns;
  try {
    const found = await page(next, MOST);
    if (mine !== turns) return; // of a list that is not shown any more
    const ids = new Set(rows.value.map((row) => row.id));
    rows.value = [...rows.value, ...found.conversations.filter((row) => !ids.has(row.id))];
    next = found.next;
  } catch (error) {
    failed(error);
  } finally {
    fetching = false;
  }
}

/** Forgets the list, for another view or filter. */
export function turnList() {
  rows.value = null;
  next = null;
  turns += 1;
  return readList();
}

/** Reads how many conversations each view holds, and the labels. */
export async function readViews() {
  const [counted, named, formed] = await Promise.all([api("GET", "/api/views"), api("GET", "/api/labels"), optional(() => api("GET", "/api/teams"))]);
  batch(() => {
    views.value = counted;
    labels.value = named.labels;
    teams.value = formed?.teams || [];
  });
}

/** Reads the open conversation with what staff have around it. */
export async function readOpen(id) {
  const at = `/api/conversations/${encodeURIComponent(id)}`;
  try {
    const [detail, desk, promises] = await Promise.all([api("GET", at), api("GET", `${at}/desk`), api("GET", `${at}/promises`)]);
    if (route.value.path !== `/inbox/${id}`) return;
    batch(() => {
      open.value = { ...detail, desk, promises };
      missing.value = null;
      beside.value = { ...beside.value, [id]: desk.present.filter((each) => each.person !== person.value.id) };
    });
    markSeen(id);
  } catch (error) {
    if (error.status === undefined) throw error;
    if (route.value.path === `/inbox/${id}`) missing.value = error;
  }
}

const read = new Map(); // conversation -> how far this page said it has been read

function markSeen(id) {
  const { messages, desk } = open.value;
  const seq = Math.max(0, ...messages.map((each) => each.seq), ...desk.notes.map((each) => each.seq));
  if (document.visibilityState !== "visible" || read.get(id) === seq) return;
  read.set(id, seq);
  rows.value = rows.value && rows.value.map((row) => (row.id === id ? { ...row, unread: false } : row));
  api("POST", `/api/conversations/${id}/seen`, { seq }).catch(() => read.delete(id)); // told again with the next look
}

const AT_MOST_MS = 250; // between two reads of the same thing while events pour in
const due = new Map();

/** Runs a read now, and once more after a while if it is asked for meanwhile. */
function soon(name, again) {
  if (due.has(name)) {
    due.set(name, again);
    return;
  }
  due.set(name, null);
  again()?.catch?.(failed);
  setTimeout(() => {
    const wanted = due.get(name);
    due.delete(name);
    if (wanted) soon(name, wanted);
  }, AT_MOST_MS);
}

const mark = (set, id, on) => {
  const changed = new Set(set.value);
  changed[on ? "add" : "delete"](id);
  set.value = changed;
};

function hear({ event, data }) {
  if (event === "viewing") {
    const others = (beside.value[data.conversation] || []).filter((each) => each.person !== data.person);
    const now = data.state === "left" || data.person === person.value.id ? others : [...others, data];
    beside.value = { ...beside.value, [data.conversation]: now };
    return;
  }
  if (event === "draft_started") mark(drafting, data.conversation, true);
  if (event === "draft_ended" || event === "state") mark(drafting, data.conversation, false);
  const all = event === "tick" || event === "reset";
  if (!all && !data.conversation) return;
  soon("list", readList);
  soon("views", readViews);
  const id = route.value.path.startsWith("/inbox/") && route.value.path.slice("/inbox/".length);
  if (id && (all || data.conversation === id)) soon(`open ${id}`, () => readOpen(id));
}

/** Follows what happens; answers how to stop. */
export const follow = () => listen(hear);
