// One dataset: its digest and account, which side its rows went to, what was left out and why, and the rows themselves.
import { api } from "../../frame/api.js";
import { moment, number, t, word } from "../../frame/i18n.js";
import { Empty, Waiting, useRead } from "../../frame/parts.js";
import { href, route } from "../../frame/router.js";
import { html } from "../../frame/ui.js";
import { Trouble, place, share, short } from "./common.js";
import { More, usePages } from "./pages.js";
import { FILTERS, Filter, Lines } from "./rows.js";

const SPLITS = ["train", "heldout", "dropped", "open"];

const Fact = ({ name, children }) => html`<div class="fact"><dt>${name}</dt><dd>${children}</dd></div>`;

function Account({ manifest, dataset }) {
  const { counts = {}, hands = {}, parents = [], files = {} } = manifest;
  return html`<dl class="facts">
    <${Fact} name=${t("data.digest")}><code class="digest" tabindex="0">${manifest.dataset_sha256 || dataset.digest || t("data.open")}</code></${Fact}>
    <${Fact} name=${t("data.made")}>${moment(dataset.created_at)}</${Fact}>
    ${Object.entries(counts).map(([name, n]) => html`<${Fact} key=${name} name=${word("data.count", name)}>${number(n)}</${Fact}>`)}
    ${Object.entries(hands).map(([name, one]) => html`<${Fact} key=${name} name=${word("data.hands", name)}>${t("data.hand", { n: one.count, share: share(one.largest_share) })}</${Fact}>`)}
    ${parents.length > 0 && html`<${Fact} name=${t("data.parents")}>${parents.map((each) => html`<code key=${each}>${short(each)} </code>`)}</${Fact}>`}
    ${Object.entries(files).map(([name, digest]) => html`<${Fact} key=${name} name=${name}><code>${short(digest)}</code></${Fact}>`)}</dl>`;
}

function Sides({ sides }) {
  const splits = SPLITS.filter((split) => sides.some((row) => row.split === split));
  const behaviours = [...new Set(sides.map((row) => row.behaviour))].sort();
  const sum = (behaviour, split) => sides.filter((row) => row.split === split && (!behaviour || row.behaviour === behaviour)).reduce((total, row) => total + row.n, 0);
  return html`<div class="table-box" tabindex="0" role="group" aria-label=${t("data.sides")}><table><caption class="unseen">${t("data.sides")}</caption><thead><tr><th scope="col">${t("training.by_behaviour")}</th>${splits.map((split) => html`<th key=${split} scope="col" class="n">${t(`data.split.${split}`)}</th>`)}</tr></thead>
    <tbody>${[...behaviours, ""].map((behaviour) => html`<tr key=${behaviour} class=${behaviour ? "" : "sum"}><th scope="row">${behaviour ? word("training.behaviour", behaviour) : t("data.all")}</th>${splits.map((split) => html`<td key=${split} class="n">${number(sum(behaviour, split))}</td>`)}</tr>`)}</tbody></table></div>`;
}

const LeftOut = ({ manifest }) => {
  const out = Object.entries(manifest.left_out || {});
  const masked = Object.entries(manifest.scrubber?.masked || {});
  return html`${(manifest.warnings || []).map((text) => html`<p key=${text} class="note warn">${text}</p>`)}
    ${out.length > 0 && html`<h3>${t("data.leftOut")}</h3><ul class="lines tight">${out.map(([why, n]) => html`<li key=${why}><span class="what">${why}</span><b>${number(n)}</b></li>`)}</ul>`}
    ${masked.length > 0 && html`<h3>${t("data.masked")}</h3><ul class="lines tight">${masked.map(([kind, n]) => html`<li key=${kind}><span class="what">${kind}</span><b>${number(n)}</b></li>`)}</ul>`}`;
};

function Rows({ id }) {
  const { split = "", behaviour = "", origin = "" } = route.value.query;
  const { rows, error, more, read } = usePages(`/api/datasets/${id}/rows`, "rows", { split, behaviour, origin, limit: 25 });
  return html`<section class="card" aria-labelledby="rows-title"><header class="head"><h2 id="rows-title">${t("data.rowsTitle")}</h2><span class="filters"><${Filter} name="split" codes=${SPLITS} group="data.split" /><${Filter} name="behaviour" codes=${FILTERS.behaviour} /><${Filter} name="origin" codes=${FILTERS.origin} /></span></header>
    <${Trouble} error=${error} again=${read} />${!rows && !error && html`<${Waiting} rows=${4} />`}${rows && !rows.length && html`<${Empty} picture="training" title=${t("data.nothing")} text=${t("data.nothingNext")} />`}${rows && html`<${Lines} rows=${rows} split />`}<${More} more=${more} /></section>`;
}

export function Dataset({ id }) {
  const [found, error, read] = useRead(() => api("GET", `/api/datasets/${id}`), [id]);
  const dataset = found?.dataset;
  return html`<div class="page"><p><a href=${href(place("data"))}>${t("data.back")}</a></p><h1>${t("data.dataset", { id: short(dataset?.digest) || short(id) })}</h1><${Trouble} error=${error} again=${read} />${!found && !error && html`<${Waiting} />`}
    ${found && html`<div class="cards"><section class="card" aria-labelledby="account-title"><h2 id="account-title">${t("data.account")}</h2><${Account} manifest=${found.manifest} dataset=${dataset} /><p><a class="button" href=${href(place("run", dataset.run_id))}>${t("data.itsRun")}</a></p></section>
      <section class="card" aria-labelledby="sides-title"><h2 id="sides-title">${t("data.sides")}</h2><${Sides} sides=${found.sides} /><${LeftOut} manifest=${found.manifest} /></section></div><${Rows} id=${id} />`}</div>`;
}
