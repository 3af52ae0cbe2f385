// The way to the API: JSON with the session's token; a refusal carries words meant for people.

const UNREACHABLE = "The server cannot be reached. Check the connection and try again.";
const KEPT_ALIVE = 16_000; // characters; browsers allow 64 KiB for all of a page's last requests
const DOOR = "/console/login";
let csrf = "";

/** A refusal of the server; `fields` names what was wrong in a form, `retryAfter` is seconds. */
export class Refusal extends Error {
  constructor(status, problem, retryAfter = 0) {
    super(sentence(problem.detail || problem.title || "The server refused this."));
    this.status = status;
    this.fields = problem.errors || [];
    this.problem = problem;
    this.retryAfter = retryAfter;
  }
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** Fetches with the session's token; `body` is sent as JSON, `raw` as it is; throws a Refusal when the network fails. */
export async function request(method, path, { body, raw, headers = {}, signal } = {}) {
  const sent = { Accept: "application/json", ...headers };
  if (csrf) sent["X-CSRF-Token"] = csrf;
  if (body !== undefined) sent["Content-Type"] = "application/json";
  try {
    const text = body === undefined ? undefined : JSON.stringify(body);
    // a change outlives the page that asked for it
    const keepalive = method !== "GET" && !raw && (text?.length ?? 0) < KEPT_ALIVE;
    return await fetch(path, { method, headers: sent, signal, body: raw ?? text, keepalive });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, { detail: UNREACHABLE });
  }
}

/** Calls the API; answers the parsed body (null when empty) or throws a Refusal. */
export async function api(method, path, body, more = {}) {
  const answer = await request(method, path, { body, ...more });
  const parsed = parse(await answer.text());
  if (answer.ok) return parsed;
  if (answer.status === 401 && csrf) leave();
  throw new Refusal(answer.status, parsed || {}, Number(answer.headers.get("Retry-After")) || 0);
}

function parse(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

/** Goes to the sign-in page, which comes back here afterwards. */
export function leave() {
  location.assign(`${DOOR}?next=${encodeURIComponent(location.pathname + location.search)}`);
}

/** Who is signed in; also takes the token that unsafe requests need. */
export async function me() {
  const found = await api("GET", "/api/session");
  csrf = found.csrf;
  return found;
}

/** Query string of the values that are set. */
export function queryOf(values) {
  const kept = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(kept.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}
