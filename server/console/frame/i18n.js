// Words of the interface: one catalogue per language, plurals and dates by the browser's own rules.
import { signal } from "./ui.js";

export const LANGUAGES = { en: "English", de: "Deutsch" };
const KEPT = "frontdesk.language";
const DIRECTIONS = { ar: "rtl", he: "rtl", fa: "rtl", ur: "rtl" };

export const language = signal("en");
let words = {};
let region = "en"; // the language with the browser's own country, for dates and numbers
let plurals = new Intl.PluralRules("en");
const formats = new Map();

function wanted() {
  const known = [localStorage.getItem(KEPT), ...navigator.languages].map((tag) => (tag || "").split("-")[0]);
  return known.find((tag) => tag in LANGUAGES) || "en";
}

/** Loads the catalogue of a language (or a part of it), the browser's own by default. */
export async function speak(tag = wanted(), part = "") {
  words = (await import(`../locales/${part}${tag}.js`)).default;
  plurals = new Intl.PluralRules(tag);
  formats.clear();
  region = navigator.languages.find((each) => each === tag || each.startsWith(`${tag}-`)) || tag;
  document.documentElement.lang = tag;
  document.documentElement.dir = DIRECTIONS[tag] || "ltr";
  language.value = tag;
}

/** Chooses a language for this browser. */
export function choose(tag, part = "") {
  localStorage.setItem(KEPT, tag);
  return speak(tag, part);
}

/** The words under a dotted key, with {names} filled in; an entry {one, other} is chosen by `n`. */
export function t(key, values = {}) {
  language.value; // a view that shows words is drawn again when the language changes
  let found = words;
  for (const part of key.split(".")) found = found?.[part];
  if (found && typeof found === "object") found = found[plurals.select(values.n ?? 0)] ?? found.other;
  if (typeof found !== "string") return key;
  return found.replace(/\{(\w+)\}/g, (_, name) => (name === "n" ? number(values.n) : String(values[name] ?? "")));
}

/** Whether the catalogue has words for this key: codes from the server may be newer than it. */
export const has = (key) => t(key) !== key;

/** The words of a code from the server, or the code itself in readable form. */
export const word = (group, code) => (has(`${group}.${code}`) ? t(`${group}.${code}`) : String(code ?? "").replaceAll("_", " "));

function format(kind, name, options) {
  if (!formats.has(name)) formats.set(name, new Intl[kind](region, options));
  return formats.get(name);
}

export const number = (value) => format("NumberFormat", "number", { maximumFractionDigits: 2 }).format(value ?? 0);
export const percent = (value) => format("NumberFormat", "percent", { style: "percent", maximumFractionDigits: 1 }).format(value);

const at = (seconds) => new Date(seconds * 1000);
export const clock = (seconds) => format("DateTimeFormat", "clock", { timeStyle: "short" }).format(at(seconds));
export const moment = (seconds) =>
  format("DateTimeFormat", "moment", { dateStyle: "medium", timeStyle: "medium" }).format(at(seconds));
export const iso = (seconds) => at(seconds).toISOString();

const DAY_S = 86_400;
const midnight = (seconds) => new Date(seconds * 1000).setHours(0, 0, 0, 0) / 1000;

/** A day as "Today", "Yesterday" or its date. */
export function day(seconds) {
  const days = Math.round((midnight(Date.now() / 1000) - midnight(seconds)) / DAY_S);
  const upper = (text) => text.charAt(0).toLocaleUpperCase(region) + text.slice(1);
  if (days < 2) return upper(format("RelativeTimeFormat", "day", { numeric: "auto" }).format(-days, "day"));
  return format("DateTimeFormat", "date", { weekday: "long", day: "numeric", month: "long", year: "numeric" }).format(at(seconds));
}

const STEPS = [[60, "second"], [60, "minute"], [24, "hour"], [7, "day"], [Infinity, "week"]];

/** How long ago, as "3 minutes ago". */
export function ago(seconds) {
  let amount = seconds - Date.now() / 1000;
  for (const [size, unit] of STEPS) {
    if (Math.abs(amount) < size) return format("RelativeTimeFormat", "ago", { numeric: "auto" }).format(Math.round(amount), unit);
    amount /= size;
  }
  return "";
}

const SHORT = [[60, "s"], [60, "min"], [24, "h"], [7, "d"], [Infinity, "w"]];

/** A length of time in few letters: "now", "4 min", "3 h". */
export function age(seconds) {
  let amount = Math.max(0, Date.now() / 1000 - seconds);
  if (amount < 60) return t("time.now");
  for (const [size, unit] of SHORT) {
    if (amount < size) return t(`time.${unit}`, { n: Math.floor(amount) });
    amount /= size;
  }
  return "";
}
