// Test search: what the assistant would find for a question, why in this order, and whether it would answer.
import { api, queryOf } from "../../frame/api.js";
import { number, percent, t } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { Empty, Waiting } from "../../frame/parts.js";
import { href, patch } from "../../frame/router.js";
import { Marked } from "../inbox/bubble.js";
import { may } from "../../frame/session.js";
import { classes, html, useEffect, useState } from "../../frame/ui.js";

const rank = (value) => (value === null ? "–" : number(value));
const score = (value) => (value === null ? "–" : value.toFixed(3));

function Hit({ hit, index, most, given }) {
  return html`<li class=${classes("hit", index < given && "given")}><header><span class="place">${number(index + 1)}</span>
      <b class="grow" dir="auto"><a href=${href(`/knowledge/documents/${hit.document_id}`)}>${hit.title}</a>${hit.heading && hit.heading !== hit.title ? ` › ${hit.heading}` : ""}</b>
      ${index < given && html`<span class="chip good">${t("knowledge.givenTo")}</span>`}${hit.audience === "staff" && html`<span class="chip warn">${t("knowledge.audiences.staff")}</span>`}</header>
    <dl class="ranks"><div><dt>${t("why.lexical")}</dt><dd>${rank(hit.lexical_rank)}</dd></div><div><dt>${t("why.vector")}</dt><dd>${rank(hit.vector_rank)}</dd></div>
      <div><dt>${t("why.similarity")}</dt><dd>${score(hit.similarity)}</dd></div><div class="fused"><dt>${t("knowledge.fused")}</dt><dd>${score(hit.score)} <span class="bar" aria-hidden="true"><span style=${{ inlineSize: `${(100 * hit.score) / most}%` }}></span></span></dd></div></dl>
    <div class="hit-text"><${Marked} text=${hit.text} /></div></li>`;
}

function Verdict({ found }) {
  const times = Object.entries(found.took_ms).map(([name, ms]) => `${name} ${t("time.ms", { n: Math.round(ms) })}`).join(", ");
  return html`<div class=${classes("verdict", found.answerable ? "good" : "warn")} role="status">${icon(found.answerable ? "check" : "alert", 18)}
    <div><b>${t(found.answerable ? "knowledge.wouldAnswer" : "knowledge.wouldNot")}</b><span>${t("why.confidence", { value: percent(found.confidence) })}${times ? ` · ${times}` : ""}</span></div>
    ${found.degraded && html`<span class="chip bad">${t("knowledge.degraded", { what: found.degraded })}</span>`}</div>`;
}

export function Search({ query }) {
  const { ask: q = "", audience = "" } = query;
  const [text, setText] = useState(q);
  const [state, setState] = useState({ found: null, error: null, busy: false });
  useEffect(() => {
    setText(q);
    if (!q) return setState({ found: null, error: null, busy: false });
    let wanted = true;
    setState((now) => ({ ...now, busy: true }));
    api("GET", `/api/knowledge/search${queryOf({ q, audience, limit: 20 })}`).then(
      (found) => wanted && setState({ found, error: null, busy: false }),
      (error) => wanted && setState({ found: null, error, busy: false }),
    );
    return () => {
      wanted = false;
    };
  }, [q, audience]);
  const { found, error, busy } = state;
  const most = Math.max(0.000001, ...(found?.hits || []).map((hit) => hit.score));
  return html`<section class="card" aria-labelledby="search-title"><h2 id="search-title">${t("knowledge.tabs.search")}</h2>
    <form class="search-line" onSubmit=${(event) => (event.preventDefault(), patch({ ask: text.trim() }))}>
      <label class="grow">${t("knowledge.ask")}<input type="search" value=${text} maxlength="2000" onInput=${(event) => setText(event.currentTarget.value)} placeholder=${t("knowledge.askExample")} /></label>
      ${may("staff") && html`<label>${t("knowledge.as")}<select value=${audience} onChange=${(event) => patch({ audience: event.currentTarget.value, ask: text.trim() })}><option value="">${t("knowledge.audiences.customer")}</option><option value="staff">${t("knowledge.audiences.staff")}</option></select></label>`}
      <button type="submit" class="main">${t("knowledge.find")}</button></form>
    ${error && html`<p class="note bad" role="alert">${error.message}</p>`}
    ${busy && !found && html`<${Waiting} rows=${3} />`}
    ${!q && html`<${Empty} picture="search" title=${t("knowledge.searchEmpty")} text=${t("knowledge.searchEmptyNext")} />`}
    ${found && html`<${Verdict} found=${found} />${found.hits.length === 0 && html`<p class="soft">${t("knowledge.foundNothing")}</p>`}
      <ol class="hits" role="list" aria-label=${t("knowledge.passages")}>${found.hits.map((hit, index) => html`<${Hit} key=${hit.passage} hit=${hit} index=${index} most=${most} given=${found.answerable ? found.given : 0} />`)}</ol>
      ${found.prompt && html`<details class="prompt"><summary>${t("knowledge.seen")}</summary><pre tabindex="0">${found.prompt}</pre></details>`}`}
  </section>`;
}
