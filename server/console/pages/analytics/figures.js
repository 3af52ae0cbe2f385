// The figures of a period: each says how it is made when it is pointed at or has the focus, and chooses the chart.
import { number, t } from "../../frame/i18n.js";
import { classes, html } from "../../frame/ui.js";
import { change, shown } from "./shown.js";

const LABELS = { count: "cases" };

function Change({ figure, currency }) {
  const found = change(figure, currency);
  if (!found) return html`<span class="soft">${t("analytics.noBefore")}</span>`;
  return html`<span class=${classes("change", { 1: "good", "-1": "bad" }[found.tone])}><span aria-hidden="true">${found.arrow} </span>${found.arrow && html`<span class="unseen">${t(found.arrow === "▲" ? "analytics.more" : "analytics.less")} </span>`}${found.text}</span>`;
}

/** One figure as a button. */
export function Tile({ figure, currency, chosen, choose }) {
  const id = `how-${figure.name}`;
  return html`<li class="tile"><button type="button" aria-pressed=${chosen} aria-describedby=${id} onClick=${() => choose(figure.name)}>
    <span class="tile-name">${t(`analytics.metric.${figure.name}`)}</span><b>${shown(figure.value, figure.unit, currency)}</b>
    <span class="tile-foot"><${Change} figure=${figure} currency=${currency} />${!LABELS[figure.unit] && html`<span class="soft">${t("analytics.of", { value: number(figure.of) })}</span>`}</span></button>
    <span class="how" id=${id} role="tooltip">${t(`analytics.how.${figure.name}`)}</span></li>`;
}

/** Why conversations went to people; each line leads to them. */
export function Reasons({ rows, choose, chosen }) {
  const most = Math.max(1, ...rows.map(([, count]) => count));
  const name = (code) => (t(`analytics.reason.${code}`) === `analytics.reason.${code}` ? code.replaceAll("_", " ") : t(`analytics.reason.${code}`));
  return html`<section class="card" aria-labelledby="reasons-title"><h2 id="reasons-title">${t("analytics.reasons")}</h2>
    ${rows.length ? html`<ul class="bars">${rows.map(([code, count]) => html`<li key=${code}><button type="button" aria-pressed=${chosen === code} onClick=${() => choose(code)}><span class="bar-name">${name(code)}</span>
      <svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width=${(count / most) * 100} height="8" rx="1" /></svg><span class="n">${number(count)}</span></button></li>`)}</ul>`
      : html`<p class="soft">${t("analytics.noHandoffs")}</p>`}</section>`;
}

const STEPS = 6;

/** When conversations begin: weekdays and hours, darker where there are more; a table, so every count can be read. */
export function Heat({ heat }) {
  const most = Math.max(1, ...heat.flat());
  const day = new Intl.DateTimeFormat(document.documentElement.lang, { weekday: "short", timeZone: "UTC" });
  const names = heat.map((_, index) => day.format(new Date(Date.UTC(2024, 0, 1 + index)))); // the first of that year is a Monday
  const look = (count) => `heat heat-${count ? Math.max(1, Math.ceil((count / most) * STEPS)) : 0}`;
  return html`<section class="card" aria-labelledby="heat-title"><h2 id="heat-title">${t("analytics.heat")}</h2>
    <div class="table-box" tabindex="0" role="group" aria-label=${t("analytics.heat")}><table class="heat-table"><caption class="unseen">${t("analytics.heatSays")}</caption>
      <thead><tr><td></td>${heat[0].map((_, hour) => html`<th key=${hour} scope="col">${hour % 3 ? html`<span class="unseen">${hour}</span>` : hour}</th>`)}</tr></thead>
      <tbody>${heat.map((row, index) => html`<tr key=${index}><th scope="row">${names[index]}</th>${row.map((count, hour) => html`<td key=${hour} class=${look(count)} title=${`${names[index]} ${hour}:00 · ${number(count)}`}><span class="unseen">${number(count)}</span></td>`)}</tr>`)}</tbody></table></div></section>`;
}
