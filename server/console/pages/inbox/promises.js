// Promises about time: how long until an answer or the end of a case is due, and whether that was kept.
import { ago, moment, t } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { classes, html, useEffect, useState } from "../../frame/ui.js";

const SOON_S = 600;
const TICK_MS = 15_000;
const HOUR_S = 3_600;
const DAY_S = 86_400;

/** A length of time as its largest unit: 12 min, 3 h, 2 d. */
export const length = (seconds) => {
  const left = Math.abs(seconds);
  if (left < HOUR_S) return t("time.min", { n: Math.round(left / 60) });
  return left < DAY_S ? t("time.h", { n: Math.round(left / HOUR_S) }) : t("time.d", { n: Math.round(left / DAY_S) });
};

/** A chip with the time left, or by how much it is late. */
export function Due({ at, kind = "first" }) {
  const [now, tick] = useState(Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => tick(Date.now() / 1000), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  if (!at) return null;
  const left = at - now;
  const text = t(left < 0 ? "promise.late" : "promise.left", { time: length(left) });
  return html`<span class=${classes("chip sla", left < 0 ? "bad" : left < SOON_S ? "warn" : "")} title=${`${t(`promise.${kind}`)}: ${moment(at)}`}>
    ${icon(left < 0 ? "alert" : "clock", 12)}<span><span class="unseen">${t(`promise.${kind}`)}: </span>${text}</span></span>`;
}

/** The running promise that is due first. */
export const nextDue = (promises) => (promises?.clocks || []).filter((clock) => !clock.ended_at).sort((a, b) => a.due_at - b.due_at)[0];

/** All promises of a conversation, the newest first. */
export const Promises = ({ promises }) => (promises?.clocks.length ? html`<ul class="past">${promises.clocks.map((clock) => html`<li key=${clock.id} class="promise">
  <span class="grow">${t(`promise.${clock.kind}`)}</span>${clock.ended_at ? html`<span class=${classes("chip", { met: "good", missed: "bad" }[clock.outcome])} title=${moment(clock.ended_at)}>${t(`promise.outcome.${clock.outcome}`)}</span>`
    : html`<${Due} at=${clock.due_at} kind=${clock.kind} />`}<span class="soft">${ago(clock.started_at)}</span></li>`)}</ul>` : html`<p class="soft">${t("promise.none")}</p>`);
