// Data: what may be trained on, by kind and origin, and the datasets that retrains made of it.
import { api } from "../../frame/api.js";
import { number, t, word } from "../../frame/i18n.js";
import { Empty, Waiting, When, useRead } from "../../frame/parts.js";
import { href, route } from "../../frame/router.js";
import { html } from "../../frame/ui.js";
import { Trouble, place, share, short, useNews } from "./common.js";
import { Dataset } from "./dataset.js";
import { More, usePages } from "./pages.js";
import { FILTERS, Filter, Lines } from "./rows.js";

/** A table of counts: one row per behaviour, one column per status. */
function Counts({ counts }) {
  const sum = (by) => counts.filter((row) => Object.entries(by).every(([name, value]) => row[name] === value)).reduce((total, row) => total + row.n, 0);
  const behaviours = [...new Set(counts.map((row) => row.behaviour))].sort();
  return html`<div class="table-box" tabindex="0" role="group" aria-label=${t("data.counts")}><table><caption class="unseen">${t("data.counts")}</caption><thead><tr><th scope="col">${t("training.by_behaviour")}</th>${FILTERS.status.map((status) => html`<th key=${status} scope="col" class="n">${t(`training.status.${status}`)}</th>`)}</tr></thead>
    <tbody>${behaviours.map((behaviour) => html`<tr key=${behaviour}><th scope="row">${word("training.behaviour", behaviour)}</th>${FILTERS.status.map((status) => html`<td key=${status} class="n">${number(sum({ behaviour, status }))}</td>`)}</tr>`)}
      <tr class="sum"><th scope="row">${t("data.all")}</th>${FILTERS.status.map((status) => html`<td key=${status} class="n">${number(sum({ status }))}</td>`)}</tr></tbody></table></div>`;
}

function Stock() {
  const [found, error, read] = useRead(() => api("GET", "/api/examples/summary"));
  useNews(["example", "correction"], read);
  const approved = (found?.counts || []).filter((row) => row.status === "approved").reduce((total, row) => total + row.n, 0);
  return html`<section class="card" aria-labelledby="stock-title"><h2 id="stock-title">${t("data.stock")}</h2><${Trouble} error=${error} again=${read} />${!found && !error && html`<${Waiting} rows=${3} />`}
    ${found && html`<p><b class="big">${number(approved)}</b> ${t("data.ofMinimum", { minimum: number(found.minimum) })}</p><progress max=${found.minimum} value=${Math.min(approved, found.minimum)} aria-label=${t("data.stock")}></progress>
      ${found.counts.length ? html`<${Counts} counts=${found.counts} />` : html`<p class="soft">${t("data.noExamples")}</p>`}
      ${found.judged_twice > 0 && html`<p class="soft">${t("review.agreement", { share: share(found.agreement), n: found.judged_twice })}</p>`}`}</section>`;
}

function Datasets() {
  const { rows, error, more, read } = usePages("/api/datasets", "datasets", { limit: 10 });
  useNews(["retrain"], read);
  return html`<section class="card" aria-labelledby="sets-title"><h2 id="sets-title">${t("data.datasets")}</h2><${Trouble} error=${error} again=${read} />${!rows && !error && html`<${Waiting} rows=${3} />`}
    ${rows && !rows.length && html`<p class="soft">${t("data.noDatasets")} <a href=${href(place("run"))}>${t("data.toRun")}</a></p>`}
    <ul class="lines">${(rows || []).map((one) => html`<li key=${one.id}><div class="what"><a href=${href(place("data", one.id))}><b><code>${short(one.digest) || t("data.open")}</code></b></a><span>${t("data.rows", { n: one.rows })} · <${When} at=${one.created_at} /></span></div>
      <a class="button small" href=${href(place("run", one.run_id))}>${t("data.itsRun")}</a></li>`)}</ul><${More} more=${more} /></section>`;
}

function Browser() {
  const { status = "", behaviour = "", origin = "" } = route.value.query;
  const { rows, error, more, read } = usePages("/api/examples", "examples", { status, behaviour, origin, limit: 25 });
  return html`<section class="card" aria-labelledby="browse-title"><header class="head"><h2 id="browse-title">${t("data.examples")}</h2><span class="filters">${Object.entries(FILTERS).map(([name, codes]) => html`<${Filter} key=${name} name=${name} codes=${codes} />`)}</span></header>
    <${Trouble} error=${error} again=${read} />${!rows && !error && html`<${Waiting} rows=${4} />`}
    ${rows && !rows.length && html`<${Empty} picture="training" title=${t("data.nothing")} text=${t(status || behaviour || origin ? "data.nothingNext" : "data.nothingYet")} />`}${rows && html`<${Lines} rows=${rows} />`}<${More} more=${more} /></section>`;
}

export function Data({ id }) {
  if (id) return html`<${Dataset} key=${id} id=${id} />`;
  return html`<div class="page"><h1>${t("training.step.data")}</h1><div class="cards"><${Stock} /><${Datasets} /></div><${Browser} /></div>`;
}
