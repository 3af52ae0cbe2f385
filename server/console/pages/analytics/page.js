// Analytics: figures with their definitions, one of them over time, why people were needed, when customers come.
import { api, queryOf } from "../../frame/api.js";
import { ago, t } from "../../frame/i18n.js";
import { Empty, Waiting, useRead } from "../../frame/parts.js";
import { patch, route } from "../../frame/router.js";
import { sheet } from "../../frame/sheet.js";
import { html, useEffect, useMemo } from "../../frame/ui.js";
import { Behind } from "./behind.js";
import { Drawing, Table } from "./chart.js";
import { Heat, Reasons, Tile } from "./figures.js";
import { keyName } from "./shown.js";

const DAY_S = 86_400;
const PERIODS = { 1: "day", 7: "week", 30: "month", 90: "quarter", 365: "year" };
const SPLITS = ["none", "channel", "language", "release"];
const COSTS = new Set(["cost", "cost_per_conversation"]);
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

await sheet("analytics.css");

const midnight = (text, days = 0) => {
  const [year, month, day] = text.split("-").map(Number);
  return new Date(year, month - 1, day + days).getTime() / 1000;
};

/** What the addresses are asked for, from the query of the page. */
function askedOf(query) {
  const { channel, language, release } = query;
  const own = query.period === "own" && query.from && query.to;
  const days = Number(query.period) in PERIODS ? Number(query.period) : 30;
  const today = new Date().setHours(0, 0, 0, 0) / 1000; // whole days, so that the first piece is as long as the others
  const hour = new Date().setMinutes(0, 0, 0) / 1000;
  const from = days === 1 ? hour - DAY_S : today - (days - 1) * DAY_S;
  const times = own ? { from: midnight(query.from), to: midnight(query.to, 1) } : { from, to: hour + DAY_S / 24 };
  return { ...times, zone: ZONE, channel, language, release };
}

const Choice = ({ label, value, choose, rows }) => html`<label>${label}<select value=${value} onChange=${(event) => choose(event.currentTarget.value)}>${rows.map(([code, name]) => html`<option key=${code} value=${code} selected=${code === value}>${name}</option>`)}</select></label>`;

function Filters({ query, choices }) {
  const period = query.period || "30";
  const all = [["", t("analytics.all")]];
  const some = (what) => [...all, ...(choices?.[what] || []).map((value) => [value, keyName(what, value)])];
  const date = (name) => html`<label>${t(`analytics.${name}`)}<input type="date" value=${query[name] || ""} onChange=${(event) => patch({ [name]: event.currentTarget.value })} /></label>`;
  return html`<form class="analytics-filters" aria-label=${t("analytics.filters")} onSubmit=${(event) => event.preventDefault()}>
    <${Choice} label=${t("analytics.period")} value=${period} choose=${(value) => patch({ period: value })} rows=${[...Object.entries(PERIODS).map(([days, name]) => [days, t(`analytics.last.${name}`)]), ["own", t("analytics.last.own")]]} />
    ${period === "own" && html`${date("from")}${date("to")}`}
    ${["channel", "language", "release"].map((what) => html`<${Choice} key=${what} label=${t(`analytics.${what}`)} value=${query[what] || ""} choose=${(value) => patch({ [what]: value })} rows=${some(what)} />`)}</form>`;
}

function Chart({ asked, figure, query, currency }) {
  const by = SPLITS.includes(query.by) ? query.by : "none";
  const [series, error] = useRead(() => api("GET", `/api/analytics/series${queryOf({ ...asked, by })}`), [JSON.stringify(asked), by]);
  const file = (format) => `/api/analytics/export${queryOf({ ...asked, by, format })}`;
  const title = t(`analytics.metric.${figure.name}`);
  return html`<section class="card" aria-labelledby="chart-title"><header class="head"><h2 id="chart-title">${title}</h2>
      <div class="chart-acts"><${Choice} label=${t("analytics.by")} value=${by} choose=${(value) => patch({ by: value === "none" ? "" : value })} rows=${SPLITS.map((each) => [each, t(`analytics.split.${each}`)])} />
        <label class="tick-line"><input type="checkbox" checked=${query.table === "1"} onChange=${(event) => patch({ table: event.currentTarget.checked ? "1" : "" })} />${t("analytics.table")}</label>
        <button type="button" class="small" aria-pressed=${Boolean(query.show)} onClick=${() => patch({ show: figure.drill, reason: "" })}>${t("analytics.showBehind")}</button>
        <a class="button small" href=${file("csv")} download="analytics.csv" target="_self">CSV</a><a class="button small" href=${file("parquet")} download="analytics.parquet" target="_self">Parquet</a></div></header>
    <p class="soft">${t(`analytics.how.${figure.name}`)}</p>
    ${error && html`<p class="note bad" role="alert">${error.message}</p>`}${!series && !error && html`<${Waiting} rows=${5} />`}
    ${series && (query.table === "1" ? html`<${Table} series=${series} figure=${figure} currency=${currency} />` : html`<${Drawing} series=${series} figure=${figure} currency=${currency} />`)}
    ${series && series.marks.length > 0 && query.table !== "1" && html`<p class="soft">${t("analytics.marks")}</p>`}</section>`;
}

export default function Analytics() {
  const { query } = route.value;
  const asked = useMemo(() => askedOf(query), [query.period, query.from, query.to, query.channel, query.language, query.release]);
  const [found, error] = useRead(() => api("GET", `/api/analytics${queryOf(asked)}`), [JSON.stringify(asked)]);
  const figures = (found?.figures || []).filter((each) => found.priced || !COSTS.has(each.name));
  const chosen = figures.find((each) => each.name === query.metric) || figures[0];
  useEffect(() => {
    if (query.show) document.getElementById("behind-title")?.focus();
  }, [query.show, query.reason]);
  return html`<div class="page analytics"><header class="head"><h1>${t("pages.analytics")}</h1>${found && html`<p class="soft">${found.as_of ? t("analytics.asOf", { when: ago(found.as_of) }) : t("analytics.noEvents")}</p>`}</header>
    <${Filters} query=${query} choices=${found?.choices} />
    ${error && html`<p class="note bad" role="alert">${error.message}</p>`}${!found && !error && html`<${Waiting} />`}
    ${found && found.figures[0].value === 0 && html`<${Empty} picture="analytics" title=${t("analytics.empty")} text=${t("analytics.emptyNext")} />`}
    ${found && found.figures[0].value > 0 && html`<ul class="tiles" aria-label=${t("analytics.figures")}>${figures.map((figure) => html`<${Tile} key=${figure.name} figure=${figure} currency=${found.currency} chosen=${figure === chosen} choose=${(name) => patch({ metric: name })} />`)}</ul>
      <${Chart} asked=${asked} figure=${chosen} query=${query} currency=${found.currency} />
      ${query.show && html`<${Behind} asked=${asked} which=${query.show} reason=${query.reason || ""} close=${() => patch({ show: "", reason: "" })} />`}
      <div class="cards"><${Reasons} rows=${found.reasons} chosen=${query.reason} choose=${(code) => patch({ show: "handed", reason: code })} /><${Heat} heat=${found.heat} /></div>`}</div>`;
}
