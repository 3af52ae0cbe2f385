// The console's way to the API and to the page: JSON with the session's token, and elements built without HTML text.

let csrf = "";

/** A refusal of the server; `message` is meant for people, `fields` names what was wrong in a form. */
export class Refusal extends Error {
  constructor(status, problem, retryAfter) {
    super(problem.detail || problem.title || "The server refused this.");
    this.status = status;
    this.fields = problem.errors || [];
    this.retryAfter = retryAfter;
  }
}

/** Calls the API; answers the parsed body (null when empty) or throws a Refusal. */
export async function api(method, path, body) {
  const headers = { Accept: "application/json" };
  if (csrf) headers["X-CSRF-Token"] = csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Refusal(0, { detail: "The server cannot be reached. Check the connection and try again." });
  }
  const text = await answer.text();
  let parsed = null;
  try {
    parsed = text ? JSON.parse(text) : null;
  } catch {
    parsed = null;
  }
  if (!answer.ok) throw new Refusal(answer.status, parsed || {}, Number(answer.headers.get("Retry-After")) || 0);
  return parsed;
}

/** Who is signed in; also takes the token that unsafe requests need. */
export async function me() {
  const found = await api("GET", "/api/session");
  csrf = found.csrf;
  return found;
}

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** An element with properties and children; strings become text, never markup. */
export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") node.className = value;
    else if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== ""));
  return node;
}

/** A small button that runs an async action once at a time and reports what went wrong. */
export function act(label, title, action, look = "small text") {
  const button = make("button", { type: "button", class: look, "aria-label": title }, label);
  button.addEventListener("click", () => busy(button, action));
  return button;
}

/** Runs an action while its button is disabled; a Refusal is shown, a lost session leads to sign-in. */
export async function busy(button, action, show = trouble) {
  button.disabled = true;
  try {
    show("");
    await action();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.status === 401) location.assign("/console/login");
    else show(error.message, error);
  } finally {
    button.disabled = false;
  }
}

/** Shows (or hides, when empty) the page's one line of trouble. */
export function trouble(text) {
  const line = byId("trouble");
  line.textContent = text.charAt(0).toUpperCase() + text.slice(1);
  line.hidden = !text;
}

const STEPS = [[60, "second"], [60, "minute"], [24, "hour"], [7, "day"], [Infinity, "week"]];
const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });

/** A time in epoch seconds as "3 minutes ago". */
export function ago(at) {
  let amount = at - Date.now() / 1000;
  for (const [size, unit] of STEPS) {
    if (Math.abs(amount) < size) return words.format(Math.round(amount), unit);
    amount /= size;
  }
  return "";
}

/** A secret shown once, with a button that copies it. */
export function once(title, secret) {
  const done = make("span", { class: "soft", role: "status" });
  const copy = act("Copy", `Copy: ${title}`, async () => {
    try {
      await navigator.clipboard.writeText(secret);
      done.textContent = "Copied.";
    } catch {
      done.textContent = "Copying is not allowed here; select the text.";
    }
  }, "small");
  return make("div", { class: "once" }, make("b", {}, title), make("code", { tabIndex: 0 }, secret),
    make("div", { class: "acts" }, copy, done));
}

/** Marks the fields a Refusal names and moves the focus to the first of them. */
export function markFields(form, error) {
  for (const input of form.elements) input.removeAttribute("aria-invalid");
  const named = (error?.fields || []).map(({ field }) => form.elements[field]).filter(Boolean);
  for (const input of named) input.setAttribute("aria-invalid", "true");
  named[0]?.focus();
}
