// A run's loss over its steps: a drawing that follows the colours of the page, and the same figures as a table.
import { number, t } from "../../frame/i18n.js";
import { theme } from "../../frame/theme.js";
import { html, useEffect, useRef, useState } from "../../frame/ui.js";
import { sheet } from "../../frame/sheet.js";
import { figure } from "./common.js";

const HEIGHT_PX = 240;
const KEPT = "frontdesk.curve";
const MOST_ROWS = 60;
const DARK = matchMedia("(prefers-color-scheme: dark)");

let uplot = null;
const drawing = () => (uplot ??= Promise.all([import("../../vendor/uplot.js"), sheet("vendor/uplot.css")]).then(([module]) => module.default));

/** Each value as the mean of itself and what was before, weighted; 0 leaves them as they are. */
export function smoothed(values, weight) {
  let last = null;
  return values.map((value) => {
    if (value === null || value === undefined) return null;
    last = last === null ? value : last * weight + value * (1 - weight);
    return last;
  });
}

/** A token's colour as the browser computes it: light-dark() is nothing a canvas understands. */
function colour(name) {
  const node = document.createElement("span");
  node.style.color = `var(${name})`;
  document.body.append(node);
  const found = getComputedStyle(node).color;
  node.remove();
  return found;
}

function options(width, log) {
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
  return {
    width, height: HEIGHT_PX, cursor: { sync: { key: "training" } }, scales: { x: { time: false }, y: { distr: log ? 3 : 1 } }, legend: { live: true },
    series: [
      { label: t("run.step"), value: (_, value) => (value === null ? "" : number(value)) },
      { label: t("run.loss"), stroke: colour("--brand"), width: 2, points: { show: false }, value: (_, value) => (value === null ? "" : figure(value)) },
      { label: t("run.heldout"), stroke: colour("--warn"), width: 2, dash: [6, 4], spanGaps: true, points: { show: true, size: 6 }, value: (_, value) => (value === null ? "" : figure(value)) },
    ],
    axes: [axis, { ...axis, size: 54 }],
  };
}

const Table = ({ points }) => {
  const every = Math.max(1, Math.ceil(points.length / MOST_ROWS));
  const shown = points.filter((point, index) => index % every === 0 || index === points.length - 1 || point.heldout_loss !== null);
  return html`<div class="table-box" tabindex="0" role="group" aria-label=${t("run.curve")}><table><caption class="unseen">${t("run.curve")}</caption><thead><tr>${["step", "loss", "heldout", "rate", "speed"].map((name) => html`<th key=${name} scope="col" class="n">${t(`run.${name}`)}</th>`)}</tr></thead>
    <tbody>${shown.map((point) => html`<tr key=${`${point.stage}-${point.step}`}><td class="n">${number(point.step)}</td><td class="n">${figure(point.loss)}</td><td class="n">${figure(point.heldout_loss)}</td><td class="n">${point.lr?.toExponential?.(1) ?? "–"}</td><td class="n">${figure(point.tokens_per_s)}</td></tr>`)}</tbody></table></div>`;
};

function Drawing({ points, weight, log }) {
  const box = useRef(null);
  const chart = useRef(null);
  const data = [points.map((point) => point.step), smoothed(points.map((point) => point.loss ?? null), weight), points.map((point) => point.heldout_loss ?? null)];
  const latest = useRef(data);
  latest.current = data;
  const look = theme.value;
  useEffect(() => {
    let there = true;
    const draw = async () => {
      const Plot = await drawing();
      if (!there || !box.current) return;
      chart.current?.destroy();
      chart.current = new Plot(options(box.current.clientWidth, log), latest.current, box.current);
    };
    draw();
    const watch = new ResizeObserver(() => chart.current && box.current && chart.current.setSize({ width: box.current.clientWidth, height: HEIGHT_PX }));
    watch.observe(box.current);
    DARK.addEventListener("change", draw);
    return () => ((there = false), watch.disconnect(), DARK.removeEventListener("change", draw), chart.current?.destroy(), (chart.current = null));
  }, [log, look]);
  useEffect(() => chart.current?.setData(latest.current), [points.length, points.at(-1)?.step, weight]);
  const last = points.at(-1);
  return html`<div class="curve" ref=${box} role="img" aria-label=${t("run.curveSays", { steps: number(last.step), loss: figure(last.loss) })}></div>`;
}

/** The loss curve of a run's points. */
export function Curve({ points }) {
  const [weight, setWeight] = useState(Number(sessionStorage.getItem(KEPT)) || 0);
  const [log, setLog] = useState(false);
  const [table, setTable] = useState(false);
  if (!points.length) return html`<p class="soft">${t("run.noCurve")}</p>`;
  const smooth = (event) => (sessionStorage.setItem(KEPT, event.currentTarget.value), setWeight(Number(event.currentTarget.value)));
  return html`<div class="curve-box"><div class="curve-acts"><label class="slider">${t("run.smooth")}<input type="range" min="0" max="0.95" step="0.05" value=${weight} onInput=${smooth} /></label>
    <label class="tick-line"><input type="checkbox" checked=${log} onChange=${(event) => setLog(event.currentTarget.checked)} />${t("run.log")}</label>
    <label class="tick-line"><input type="checkbox" checked=${table} onChange=${(event) => setTable(event.currentTarget.checked)} />${t("run.asTable")}</label></div>
    ${table ? html`<${Table} points=${points} />` : html`<${Drawing} points=${points} weight=${weight} log=${log} />`}</div>`;
}
