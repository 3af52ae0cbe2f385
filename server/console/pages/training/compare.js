// Compare: the gate's verdict with every figure that decided, what became worse before what became better, and blind votes.
import { api } from "../../frame/api.js";
import { number, t, word } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { Empty, Waiting, When, useRead } from "../../frame/parts.js";
import { href, route } from "../../frame/router.js";
import { may } from "../../frame/session.js";
import { classes, html } from "../../frame/ui.js";
import { Blind } from "./blind.js";
import { Changed } from "./diff.js";
import { State, Trouble, figure, place, useNews } from "./common.js";
import { More, usePages } from "./pages.js";

const SHOWN = ["gate", "broken", "fixed", "blind"];
const ORDER = ["broken", "doubtful", "kept", "few"];
const MOST_FEW = 40;
const WIDTH = 160;
const PLACES = 2; // of a quality between 0 and 1, so that its column lines up

const fixed = (value) => (value === null || value === undefined ? "–" : new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: PLACES, maximumFractionDigits: PLACES }).format(value));

/** A difference with its interval on a line whose middle is no change. */
function Interval({ low, high, value, span }) {
  if (low === null || high === null || value === null) return html`<span class="soft">–</span>`;
  const at = (figure) => WIDTH / 2 + (Math.max(-span, Math.min(span, figure)) / span) * (WIDTH / 2 - 6);
  return html`<svg class="interval" width=${WIDTH} height="18" viewBox=${`0 0 ${WIDTH} 18`} role="img" aria-label=${t("compare.between", { value: figure(value), low: figure(low), high: figure(high) })}>
    <line class="zero" x1=${WIDTH / 2} y1="0" x2=${WIDTH / 2} y2="18" /><line class="reach" x1=${at(low)} y1="9" x2=${at(high)} y2="9" /><circle cx=${at(value)} cy="9" r="4" /></svg>`;
}

const Reason = ({ reason }) => html`<li><span class=${classes("mark", { broken: "bad", doubtful: "warn" }[reason.state])}>${icon(reason.state === "broken" ? "close" : "alert", 14)}<span class="unseen">${t(`training.floor.${reason.state}`)}</span></span><span class="what">${reason.text}</span></li>`;

function Verdict({ report }) {
  return html`<section class=${classes("card verdict", report.verdict)} aria-labelledby="verdict-title"><h2 id="verdict-title">${t(`compare.verdict.${report.verdict}`)}</h2><p>${t(`compare.next.${report.verdict}`)}</p>
    ${report.reasons.length ? html`<ul class="lines checks">${report.reasons.map((reason, index) => html`<${Reason} key=${index} reason=${reason} />`)}</ul>` : html`<p class="soft">${t("compare.noReason")}</p>`}</section>`;
}

function Targets({ targets, span }) {
  return html`<section class="card" aria-labelledby="targets-title"><h2 id="targets-title">${t("compare.targets")}</h2><p class="soft">${t("compare.targetsMean")}</p><div class="table-box" tabindex="0" role="group" aria-label=${t("compare.targets")}><table><thead><tr><th scope="col">${t("compare.slice")}</th><th scope="col" class="n">${t("compare.rows")}</th><th scope="col" class="n">${t("compare.subject.live")}</th><th scope="col" class="n">${t("compare.subject.candidate")}</th><th scope="col" class="interval-head">${t("compare.difference")}</th><th scope="col">${t("compare.state")}</th></tr></thead>
    <tbody>${targets.map((one) => html`<tr key=${one.slice}><th scope="row">${one.slice}</th><td class="n">${number(one.rows)}</td><td class="n">${fixed(one.live)}</td><td class="n">${fixed(one.candidate)}</td><td class="interval-head"><${Interval} low=${one.low} high=${one.high} value=${one.difference} span=${span} /></td>
      <td>${one.beaten ? html`<span class="chip good">${t("compare.beaten")}</span>` : one.worse ? html`<span class="chip bad">${t("compare.worse")}</span>` : html`<span class="chip warn">${t("compare.needs", { n: one.needed })}</span>`}</td></tr>`)}</tbody></table></div></section>`;
}

function Floors({ slices, span }) {
  const sorted = [...slices].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || (a.difference ?? 0) - (b.difference ?? 0));
  const shown = sorted.filter((row, index) => row.state !== "few" || index < MOST_FEW);
  return html`<section class="card" aria-labelledby="floors-title"><h2 id="floors-title">${t("compare.floors")}</h2><p class="soft">${t("compare.floorsMean")}</p><div class="table-box" tabindex="0" role="group" aria-label=${t("compare.floors")}><table><thead><tr><th scope="col">${t("compare.state")}</th><th scope="col">${t("compare.slice")}</th><th scope="col">${t("compare.metric")}</th><th scope="col" class="n">${t("compare.rows")}</th><th scope="col" class="n">${t("compare.subject.live")}</th><th scope="col" class="n">${t("compare.subject.candidate")}</th><th scope="col" class="n">${t("compare.floor")}</th><th scope="col" class="interval-head">${t("compare.difference")}</th></tr></thead>
    <tbody>${shown.map((row) => html`<tr key=${`${row.slice}-${row.metric}`}><td><${State} group="floor" code=${row.state} /></td><th scope="row">${row.slice}</th><td>${word("compare.metrics", row.metric)}</td><td class="n">${number(row.rows)}</td><td class="n">${fixed(row.live)}</td><td class="n">${fixed(row.value)}</td><td class="n">${fixed(row.floor)}</td><td class="interval-head"><${Interval} low=${row.low} high=${row.high} value=${row.difference} span=${span} /></td></tr>`)}</tbody></table></div></section>`;
}

function Subjects({ subjects }) {
  const names = ["base", "live", "candidate"].filter((name) => subjects[name]);
  const metrics = [...new Set(names.flatMap((name) => Object.keys(subjects[name].figures || {})))];
  const row = (label, get) => html`<tr key=${label}><th scope="row">${label}</th>${names.map((name) => html`<td key=${name} class="n">${get(subjects[name])}</td>`)}</tr>`;
  return html`<details class="card"><summary><h2>${t("compare.subjects")}</h2></summary><div class="table-box" tabindex="0" role="group" aria-label=${t("compare.subjects")}><table><thead><tr><th scope="col">${t("compare.metric")}</th>${names.map((name) => html`<th key=${name} scope="col" class="n">${t(`compare.subject.${name}`)}</th>`)}</tr></thead>
    <tbody>${row(t("compare.rows"), (one) => number(one.rows))}${row(t("compare.tokens"), (one) => figure(one.tokens))}${row(t("compare.firstToken"), (one) => figure(one.first_token_ms))}${row(t("compare.total"), (one) => figure(one.total_ms))}
      ${metrics.map((metric) => row(word("compare.metrics", metric), (one) => figure(one.figures[metric]?.value)))}</tbody></table></div></details>`;
}

function Gate({ report }) {
  const reach = [...report.slices, ...report.targets].flatMap((row) => [row.low, row.high]).filter((value) => value !== null && Number.isFinite(value)).map(Math.abs);
  const span = Math.min(1, Math.max(0.1, ...reach));
  return html`<${Verdict} report=${report} /><${Targets} targets=${report.targets} span=${span} /><${Floors} slices=${report.slices} span=${span} /><${Subjects} subjects=${report.subjects || {}} />`;
}

const Case = ({ one }) => html`<li class="case card"><header class="head"><p class="asked words" dir="auto">${one.question}</p><span class="acts"><span class="chip">${word("training.behaviour", one.behaviour)}</span><span class="chip">${one.suite}</span>${one.example && html`<a class="button small" href=${href(place("review", one.example))}>${t("compare.example")}</a>`}</span></header>
  ${one.wanted && html`<p class="wanted words" dir="auto"><b>${t("compare.wanted")}</b> ${one.wanted}</p>`}
  <div class="sides two"><section class="side"><h3>${t("compare.subject.live")}</h3><${Changed} before=${one.live} after=${one.candidate} side="before" /></section><section class="side"><h3>${t("compare.subject.candidate")}</h3><${Changed} before=${one.live} after=${one.candidate} side="after" /></section></div></li>`;

function Cases({ id, kind }) {
  const [list, error, read] = useRead(() => api("GET", `/api/retrains/${id}/cases?kind=${kind}&limit=100`), [id, kind]);
  return html`<${Trouble} error=${error} again=${read} />${!list && !error && html`<${Waiting} rows=${3} />`}${list && !list.cases.length && html`<${Empty} picture="check" title=${t(`compare.no_${kind}`)} text=${t("compare.noCases")} />`}
    ${list && list.total > list.cases.length && html`<p class="soft">${t("compare.first", { n: list.cases.length, total: number(list.total) })}</p>`}<ul class="cases" role="list">${(list?.cases || []).map((one) => html`<${Case} key=${one.key} one=${one} />`)}</ul>`;
}

function Tabs({ now, report }) {
  const counts = { broken: report.broken?.length, fixed: report.fixed?.length };
  const shown = SHOWN.filter((name) => name === "gate" || may("staff"));
  return html`<nav class="tabs" aria-label=${t("training.step.compare")}>${shown.map((name) => html`<a key=${name} href=${href(route.value.path, { ...route.value.query, show: name === "gate" ? "" : name })} aria-current=${name === now ? "true" : undefined}>${t(`compare.show.${name}`)}${counts[name] !== undefined && html` <span class="chip">${counts[name]}</span>`}</a>`)}</nav>`;
}

function Comparison({ id }) {
  const [found, error, read] = useRead(() => api("GET", `/api/retrains/${encodeURIComponent(id)}`), [id]);
  useNews(["retrain"], read);
  const now = SHOWN.includes(route.value.query.show) ? route.value.query.show : "gate";
  const report = found?.report;
  return html`<div class="page"><p><a href=${href(place("compare"))}>${t("compare.back")}</a></p><header class="head"><h1>${t("compare.title", { name: found?.retrain.note || t("compare.thisRun") })}</h1>${found?.retrain.candidate && now !== "blind" && html`<a class="button" href=${href(place("promote", found.retrain.candidate))}>${t("run.toPromote")}</a>`}</header>
    <${Trouble} error=${error} again=${read} />${!found && !error && html`<${Waiting} />`}
    ${found && !report?.verdict && html`<${Empty} picture="clock" title=${t("compare.none")} text=${t("compare.noneNext")}><a class="button" href=${href(place("run", id))}>${t("data.itsRun")}</a></${Empty}>`}
    ${report?.verdict && html`<${Tabs} now=${now} report=${report} />${now === "gate" ? html`<${Gate} report=${report} />` : now === "blind" ? html`<${Blind} key=${id} id=${id} />` : html`<${Cases} key=${now} id=${id} kind=${now} />`}`}</div>`;
}

function Choose() {
  const { rows, error, more, read } = usePages("/api/retrains", "retrains", { limit: 25 });
  useNews(["retrain"], read);
  const judged = (rows || []).filter((run) => run.verdict);
  return html`<div class="page"><h1>${t("training.step.compare")}</h1><${Trouble} error=${error} again=${read} />${!rows && !error && html`<${Waiting} />`}
    ${rows && !judged.length && html`<${Empty} picture="training" title=${t("compare.nothing")} text=${t("compare.nothingNext")}><a class="button" href=${href(place("run"))}>${t("data.toRun")}</a></${Empty}>`}
    ${judged.length > 0 && html`<section class="card"><ul class="lines">${judged.map((run) => html`<li key=${run.id}><div class="what"><a href=${href(place("compare", run.id))}><b>${run.note || word("run.cause", run.cause)}</b></a><span><${When} at=${run.ended_at ?? run.updated_at} /></span></div><${State} group="verdict" code=${run.verdict} /></li>`)}</ul></section>`}<${More} more=${more} /></div>`;
}

export const Compare = ({ id }) => (id ? html`<${Comparison} key=${id} id=${id} />` : html`<${Choose} />`);
