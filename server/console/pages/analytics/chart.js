// One figure over time: a drawing that follows the colours of the page, and the same rows as a table.
import { t } from "../../frame/i18n.js";
import { sheet } from "../../frame/sheet.js";
import { theme } from "../../frame/theme.js";
import { html, useEffect, useRef } from "../../frame/ui.js";
import { HUES, colour, keyName, shown } from "./shown.js";

const HEIGHT_PX = 260;
const NARROW_PX = 480;
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 1e7, 1e8, 1e9]; // no half conversations
const DAYS = [1, 2, 3, 7, 14, 28, 91, 182, 364].map((days) => days * 86_400); // between two dates of the axis, in seconds
const STACKED = new Set(["count", "tokens", "money"]);
const DARK = matchMedia("(prefers-color-scheme: dark)");

let uplot = null;
const drawing = () => (uplot ??= Promise.all([import("../../vendor/uplot.js"), sheet("vendor/uplot.css")]).then(([module]) => module.default));

/** The rows of a series as columns: the starts, and one list of values per key. */
export function columns(series, metric) {
  const starts = [...new Set(series.rows.map((row) => row.start))];
  const keys = [...new Set(series.rows.map((row) => row.key))];
  const values = new Map(series.rows.map((row) => [`${row.start} ${row.key}`, row[metric]]));
  return { starts, keys, lists: keys.map((key) => starts.map((start) => values.get(`${start} ${key}`) ?? null)) };
}

/** Lists on top of each other: each one plus all before it. */
export function stacked(lists) {
  return lists.map((list, index) => list.map((_, at) => lists.slice(0, index + 1).reduce((sum, each) => sum + (each[at] ?? 0), 0)));
}

/** Half a piece of time, so that the first and the last bar have their whole width. */
const step = (starts) => (starts.length > 1 ? (starts[1] - starts[0]) / 2 : 43_200);

/** Says a moment in the language of the page and the zone of the period. */
function dated(series, look) {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, { ...look, timeZone: series.period.zone });
  return (at) => format.format(new Date(at * 1e3));
}

const stroke = (index) => colour(`--series-${(index % HUES) + 1}`);

function marks(series) {
  return {
    hooks: {
      draw: [
        (plot) => {
          plot.ctx.save();
          plot.ctx.strokeStyle = colour("--edge");
          plot.ctx.setLineDash([4, 4]);
          for (const { at } of series.marks) {
            const x = Math.round(plot.valToPos(at, "x", true));
            plot.ctx.beginPath();
            plot.ctx.moveTo(x, plot.bbox.top);
            plot.ctx.lineTo(x, plot.bbox.top + plot.bbox.height);
            plot.ctx.stroke();
          }
          plot.ctx.restore();
        },
      ],
    },
  };
}

function options(Plot, width, series, figure, currency, found) {
  const text = (value) => shown(value, figure.unit, currency);
  const onTop = STACKED.has(figure.unit) && figure.name !== "backlog";
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
  const count = found.keys.length;
  const line = (key, index) => {
    const which = onTop ? count - 1 - index : index; // the whole is drawn first, parts over it
    const look = onTop ? { fill: stroke(which), paths: Plot.paths.bars({ size: [0.7, 48] }), width: 0, points: { show: false } } : { width: 2, spanGaps: true, points: { show: found.starts.length < 40, size: 6 } };
    return { label: count > 1 ? keyName(series.by, found.keys[which]) : t(`analytics.metric.${figure.name}`), stroke: stroke(which), ...look, value: (_, __, ___, at) => (at === null || at === undefined ? "" : text(found.lists[which][at])) };
  };
  const top = figure.unit === "share" ? [0, 1] : undefined;
  const whole = ["count", "tokens"].includes(figure.unit) ? { incrs: WHOLE } : {};
  const hours = series.period.step === "hour";
  const day = dated(series, hours ? { hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short" });
  const moment = dated(series, { dateStyle: "medium", ...(hours && { timeStyle: "short" }) });
  return {
    width, height: width < NARROW_PX ? HEIGHT_PX - 60 : HEIGHT_PX, tzDate: (at) => Plot.tzDate(new Date(at * 1e3), series.period.zone),
    scales: { x: { range: (_, low, high) => [low - step(found.starts), high + step(found.starts)] }, y: { range: (_, low, high) => top ?? [Math.min(0, low ?? 0), high > 0 ? high * 1.08 : 1] } },
    series: [{ label: t("analytics.when"), value: (_, at) => (at === null ? "" : moment(at)) }, ...found.keys.map(line)],
    axes: [{ ...axis, space: 72, ...(hours ? {} : { incrs: DAYS }), values: (_, starts) => starts.map(day) }, { ...axis, ...whole, size: 72, values: (_, values) => values.map(text) }], plugins: [marks(series)], legend: { live: true },
  };
}

const data = (found, figure) => {
  const onTop = STACKED.has(figure.unit) && figure.name !== "backlog";
  return [found.starts, ...(onTop ? stacked(found.lists).reverse() : found.lists)];
};

/** The drawing; it says in one sentence what it shows, the table has every value. */
export function Drawing({ series, figure, currency }) {
  const box = useRef(null);
  const look = theme.value;
  const found = columns(series, figure.name);
  useEffect(() => {
    let chart = null;
    let there = true;
    const draw = async () => {
      const Plot = await drawing();
      if (!there || !box.current) return;
      chart?.destroy();
      chart = new Plot(options(Plot, box.current.clientWidth, series, figure, currency, found), data(found, figure), box.current);
    };
    draw();
    const watch = new ResizeObserver(() => chart && box.current && chart.setSize({ width: box.current.clientWidth, height: chart.height }));
    watch.observe(box.current);
    DARK.addEventListener("change", draw);
    return () => ((there = false), watch.disconnect(), DARK.removeEventListener("change", draw), chart?.destroy());
  }, [series, figure.name, look]);
  const known = found.lists.flat().filter((value) => value !== null);
  const told = known.length ? t("analytics.chartSays", { what: t(`analytics.metric.${figure.name}`), low: shown(Math.min(...known), figure.unit, currency), high: shown(Math.max(...known), figure.unit, currency), n: found.starts.length }) : t("analytics.nothing");
  return html`<div class="plot" ref=${box} role="img" aria-label=${told}></div>`;
}

/** The same rows as a table. */
export function Table({ series, figure, currency }) {
  const found = columns(series, figure.name);
  const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", ...(series.period.step === "hour" && { timeStyle: "short" }), timeZone: series.period.zone });
  const title = t(`analytics.metric.${figure.name}`);
  return html`<div class="table-box" tabindex="0" role="group" aria-label=${title}><table><caption class="unseen">${title}</caption>
    <thead><tr><th scope="col">${t("analytics.when")}</th>${found.keys.map((key) => html`<th key=${key} scope="col" class="n">${series.by === "none" ? title : keyName(series.by, key)}</th>`)}</tr></thead>
    <tbody>${found.starts.map((start, at) => html`<tr key=${start}><th scope="row">${format.format(new Date(start * 1e3))}</th>${found.lists.map((list, index) => html`<td key=${found.keys[index]} class="n">${shown(list[at], figure.unit, currency)}</td>`)}</tr>`)}</tbody></table></div>`;
}
