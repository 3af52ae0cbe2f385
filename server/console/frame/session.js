// Who is signed in, what they may do, and the switch that silences the bot: known on every page.
import { api, me } from "./api.js";
import { listen } from "./live.js";
import { computed, signal } from "./ui.js";

const RANKS = { viewer: 1, staff: 2, admin: 3 };

export const person = signal(null);
export const botSwitch = signal(null);
export const service = signal({ state: "checking", notes: {}, reasons: {} });
export const live = signal({ release: "", canary: null });
export const presence = signal(null); // null: the server keeps none

/** Whether the signed-in person has at least this role. */
export const may = (role) => (RANKS[person.value?.role] || 0) >= RANKS[role];
export const botOff = computed(() => botSwitch.value?.silent === true);

/** Takes the session; throws a Refusal with status 401 for a stranger. */
export async function signIn() {
  person.value = await me();
}

/** Ends the session and goes to the sign-in page. */
export async function signOut() {
  await api("DELETE", "/api/session");
  location.assign("/console/login");
}

/** Reads the bot switch. */
export async function readSwitch() {
  botSwitch.value = await api("GET", "/api/switch");
}

/** Silences the bot everywhere, or lets it speak again. */
export async function setSwitch(silent) {
  botSwitch.value = await api("PUT", "/api/switch", { channel: "*", account: "*", silent });
}

/** Reads readiness; a server that is not ready answers too. */
export async function readService() {
  try {
    const answer = await fetch("/readyz");
    const body = await answer.json();
    const noted = Object.values(body.notes || {}).some((text) => text && !String(text).startsWith("ready"));
    service.value = { state: answer.ok ? (noted ? "noted" : "ready") : "failing", notes: body.notes || {}, reasons: body.reasons || {} };
  } catch {
    service.value = { state: "unreachable", notes: {}, reasons: {} };
  }
}

/** Reads which release answers; a desk without the learning loop has none. */
export async function readRelease() {
  const found = await optional(() => api("GET", "/api/releases?limit=1"));
  if (found) live.value = { release: found.live, canary: found.canary };
}

/** Reads one's own presence. */
export async function readPresence() {
  const found = await optional(() => api("GET", "/api/presence"));
  presence.value = found?.status ?? found?.state ?? null;
}

/** Follows one's own presence: another tab, or the server, may have changed it. */
export const followPresence = () => listen(({ event, data }) => {
  if (event === "presence" && data.body.person === person.value.id) presence.value = data.body.status;
});

/** Says that one is online, busy or away. */
export async function setPresence(status) {
  await api("PUT", "/api/presence", { status });
  presence.value = status;
}

/** What a call answers, or null where this server does not have that address. */
export async function optional(call) {
  try {
    return await call();
  } catch (error) {
    if ([404, 405].includes(error.status)) return null;
    throw error;
  }
}
