// "Why?": what an answer of the assistant rests on. Passages with their ranks, tools, release, tokens, time.
import { clock, number, percent, t, word } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { href } from "../../frame/router.js";
import { classes, html } from "../../frame/ui.js";

const SHOWN = 3; // decimals of a score

const Fact = ({ name, children }) => html`<div class="fact"><dt>${name}</dt><dd>${children}</dd></div>`;
const score = (value) => (typeof value === "number" ? number(Math.round(value * 10 ** SHOWN) / 10 ** SHOWN) : "–");
const rank = (value) => (typeof value === "number" ? number(value) : "–");

function Passages({ grounding }) {
  const used = new Map((grounding.citations || []).map((each) => [each.passage, each.number]));
  const found = grounding.passages || [];
  if (!found.length) return html`<p class="soft">${t("why.nothing")}</p>`;
  return html`<ol class="passages">${found.map((passage, index) => html`<li key=${passage.id || index} class=${classes(used.has(passage.id) && "used")}>
    <details><summary>
      <span class="grow"><b>${passage.title || t("why.untitled")}</b>${passage.heading && passage.heading !== passage.title ? ` › ${passage.heading}` : ""}</span>
      ${used.has(passage.id) && html`<span class="chip good">${t("why.used", { number: used.get(passage.id) })}</span>`}
      <span class="scores"><span title=${t("why.score")}>${score(passage.score)}</span></span>
    </summary>
    <dl class="facts inline">
      <${Fact} name=${t("why.fused")}>${score(passage.score)}</${Fact}><${Fact} name=${t("why.lexical")}>${rank(passage.lexical_rank)}</${Fact}>
      <${Fact} name=${t("why.vector")}>${rank(passage.vector_rank)}</${Fact}><${Fact} name=${t("why.similarity")}>${score(passage.similarity)}</${Fact}>
    </dl>
    <blockquote dir="auto">${(passage.text || passage.quote || "").replaceAll("**", "")}</blockquote>
    ${passage.url && html`<p class="soft">${passage.url}</p>`}
    </details></li>`)}</ol>`;
}

const shown = (value) => JSON.stringify(value, null, 2);

const Calls = ({ steps }) => html`<ul class="calls">${steps.map((step) => html`<li key=${step.number}><details>
  <summary><code class="grow">${step.tool}</code><span class=${classes("chip", step.state === "failed" ? "bad" : step.state === "done" && "good")}>${word("step", step.state)}</span>
    ${step.ended_at && html`<span class="soft">${t("time.ms", { n: Math.round(1000 * (step.ended_at - step.created_at)) })}</span>`}</summary>
  <h4>${t("why.arguments")}</h4><pre tabindex="0">${shown(step.arguments)}</pre>
  <h4>${t("why.result")}</h4><pre tabindex="0">${shown(step.result)}</pre></details></li>`)}</ul>`;

function Timings({ timings }) {
  const rows = Object.entries(timings).filter(([, value]) => typeof value === "number");
  const most = Math.max(1, ...rows.map(([, value]) => value));
  return html`<dl class="timings">${rows.map(([name, value]) => html`<div key=${name}><dt>${word("timing", name)}</dt>
    <dd><span class="bar" aria-hidden="true"><span style=${{ inlineSize: `${(100 * value) / most}%` }}></span></span>${t("time.ms", { n: Math.round(value) })}</dd></div>`)}</dl>`;
}

/** Everything about one turn; `steps` are its tool calls. */
export function Why({ turn, steps, message, id }) {
  if (!turn) return html`<section class="why" id=${id} aria-label=${t("why.title")}><p class="soft">${t("why.gone")}</p></section>`;
  const grounding = turn.grounding || {};
  const release = turn.release_id || message.release_id;
  const known = typeof grounding.confidence === "number";
  return html`<section class="why" id=${id} aria-label=${t("why.title")}>
    <h3>${icon("knowledge", 14)} ${t("why.passages")}${known && html`<span class="soft">${t("why.confidence", { value: percent(grounding.confidence) })}</span>`}
      ${grounding.policy && html`<span class="chip warn">${t("why.policy", { name: word("policy", grounding.policy) })}</span>`}</h3>
    <${Passages} grounding=${grounding} />
    ${steps.length > 0 && html`<h3>${icon("settings", 14)} ${t("why.tools")}</h3><${Calls} steps=${steps} />`}
    <h3>${icon("clock", 14)} ${t("why.time")}</h3>
    <${Timings} timings=${turn.timings || {}} />
    <dl class="facts">
      <${Fact} name=${t("why.outcome")}>${word("outcome", turn.outcome)}${turn.reason ? ` · ${word("reason", turn.reason)}` : ""}</${Fact}>
      <${Fact} name=${t("why.release")}>${release ? html`<a href=${href("/training", { release })}>${release}</a>` : "–"}</${Fact}>
      <${Fact} name=${t("why.tokens")}>${t("why.tokensOf", { prompt: number(turn.prompt_tokens), completion: number(turn.completion_tokens) })}</${Fact}>
      <${Fact} name=${t("why.support")}>${typeof grounding.support === "number" ? percent(grounding.support) : "–"}</${Fact}>
      <${Fact} name=${t("why.removed")}>${number(grounding.removed)}</${Fact}>
      <${Fact} name=${t("why.attempt")}>${number(turn.attempt)} · ${clock(turn.ended_at)}</${Fact}>
    </dl>
  </section>`;
}
