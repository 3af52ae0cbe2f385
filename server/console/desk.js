// What the pages at the door (sign-in, one-time links) share: words, one action at a time, saying what is wrong.
import { Refusal } from "/console/frame/api.js";
import { LANGUAGES, choose, has, language, speak, t } from "/console/frame/i18n.js";

export { api } from "/console/frame/api.js";

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

const PART = "door-"; // of the catalogue: a page without the console needs few words
let wrong = ""; // an error, or the key of what is wrong

/** Shows the words under a key, in this language and in one that is chosen later; no key shows nothing. */
export function say(id, key) {
  const place = byId(id);
  place.dataset.t = key;
  place.textContent = key && t(key);
}

/** What a refusal says; the server's own words only where the catalogue has none. */
function told({ status, fields = [], problem = {}, retryAfter, message }) {
  const field = fields.map((each) => `fields.${each.field}`).find(has);
  const known = [field, `wrong.${problem.code}`, `wrong.s${status}`].find((key) => key && has(key));
  return t(known || "wrong.other", { n: retryAfter, id: problem.error_id, text: message });
}

/** Shows (or hides, when empty) the page's one line of trouble: an error, or a key. */
export function trouble(what) {
  wrong = what;
  byId("trouble").textContent = what instanceof Error ? told(what) : what && t(what);
  byId("trouble").hidden = !what;
}

function draw() {
  for (const place of document.querySelectorAll("[data-t]")) place.textContent = place.dataset.t && t(place.dataset.t);
  for (const place of document.querySelectorAll("[data-label]")) place.setAttribute("aria-label", t(place.dataset.label));
  for (const button of byId("languages").children) button.setAttribute("aria-pressed", String(button.lang === language.value));
  trouble(wrong);
}

function choice([tag, name]) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "tiny", lang: tag, textContent: name });
  button.addEventListener("click", async () => (await choose(tag, PART), draw()));
  return button;
}

/** Shows the page in this browser's language: the one chosen here or in the console, else the first it asks for. */
export async function open() {
  await speak(undefined, PART);
  byId("languages").replaceChildren(...Object.entries(LANGUAGES).map(choice));
  draw();
  document.querySelector("main").hidden = false;
}

/** Runs an action while its button is disabled; a Refusal is shown. */
export async function busy(button, action, show = trouble) {
  button.disabled = true;
  try {
    show("");
    await action();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    show(error);
  } finally {
    button.disabled = false;
  }
}

/** Marks the fields a Refusal names and moves the focus to the first of them. */
export function markFields(form, error) {
  for (const input of form.elements) input.removeAttribute("aria-invalid");
  const named = (error?.fields || []).map(({ field }) => form.elements[field]).filter(Boolean);
  for (const input of named) input.setAttribute("aria-invalid", "true");
  named[0]?.focus();
}

const STEP = "frontdesk.step"; // of this tab only, and gone once it is read

/** Takes an open second step along to the sign-in page. */
export function handOver(step) {
  sessionStorage.setItem(STEP, JSON.stringify(step));
  location.replace("/console/login");
}

/** The second step that was brought along, null without one. */
export function handedOver() {
  const step = JSON.parse(sessionStorage.getItem(STEP) || "null");
  sessionStorage.removeItem(STEP);
  return step;
}

/** Where to go after signing in: the place inside the console one came from, never another site. */
export function onward() {
  const next = new URLSearchParams(location.search).get("next") || "";
  const inside = /^\/console\/[\w./?=&%:+-]*$/.test(next) && !next.startsWith("/console/login");
  return inside ? next : "/console/";
}
