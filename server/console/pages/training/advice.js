// The report "should we tune?" as people read it.
import { t } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { classes, html } from "../../frame/ui.js";

/** "Should we tune?": the answer first, then everything that was looked at. */
export function Advice({ advice }) {
  return html`<p class=${classes("note", advice.tune ? "fine" : "warn")}><b>${t(advice.tune ? "run.tune" : "run.dontTune")}</b> ${t("run.looked", { n: advice.examples })}</p>
    <ul class="lines checks">${advice.findings.map((each) => html`<li key=${each.name}><span class=${classes("mark", each.stops ? "bad" : "good")}>${icon(each.stops ? "close" : "check", 14)}<span class="unseen">${t(each.stops ? "run.speaksAgainst" : "run.speaksFor")}</span></span><span class="what">${each.text}</span></li>`)}</ul>`;
}
