// How figures look: by unit, beside the time before, in the colours of the page.
import { number, percent, t } from "../../frame/i18n.js";

export const HUES = 8;
const MINUTE_S = 60;
const HOUR_S = 3600;

/** A length of time in its largest units. */
export function lasting(seconds) {
  if (seconds < 10) return t("analytics.seconds", { value: number(Math.round(seconds * 10) / 10) });
  if (seconds < 2 * MINUTE_S) return t("analytics.seconds", { value: number(Math.round(seconds)) });
  if (seconds < 2 * HOUR_S) return t("analytics.minutes", { value: number(Math.round(seconds / MINUTE_S)) });
  return t("analytics.hours", { value: number(Math.round((seconds / HOUR_S) * 10) / 10) });
}

const money = (value, currency) => new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency, maximumFractionDigits: value < 0.1 ? 4 : 2 }).format(value);

/** A figure as text, a dash where nothing can be said. */
export function shown(value, unit, currency) {
  if (value === null || value === undefined) return "–";
  if (unit === "share") return percent(value);
  if (unit === "seconds") return lasting(value);
  if (unit === "money") return money(value, currency);
  return number(Math.abs(value) < 10 ? Math.round(value * 100) / 100 : Math.round(value)); // 4.12 of 5, but 27 and 1,504
}

/** How a figure changed: the text, and whether that is good (1), bad (-1) or neither (0). */
export function change(figure, currency) {
  if (figure.value === null || figure.previous === null) return null;
  const step = figure.value - figure.previous;
  if (Math.abs(step) < 1e-9) return { text: t("analytics.unchanged"), tone: 0, arrow: "" };
  const tone = figure.better * Math.sign(step);
  const size = figure.unit === "share" ? t("analytics.pointsOf", { value: number(Math.round(Math.abs(step) * 1000) / 10) }) : shown(Math.abs(step), figure.unit, currency);
  return { text: size, tone, arrow: step > 0 ? "▲" : "▼" };
}

/** A token's colour as the browser computes it: light-dark() is nothing a canvas understands. */
export function colour(name) {
  const node = document.createElement("span");
  node.style.color = `var(${name})`;
  document.body.append(node);
  const found = getComputedStyle(node).color;
  node.remove();
  return found;
}

/** What a key of a split is called. */
export function keyName(by, key) {
  if (!key) return t("analytics.none");
  if (by === "channel") return t(`analytics.channels.${key}`) === `analytics.channels.${key}` ? key : t(`analytics.channels.${key}`);
  return by === "release" ? key.slice(0, 12) : key;
}
