// One example as a reviewer reads it: what was asked, what was answered, what should be answered, and where it is from.
import { channelName } from "../../frame/channels.js";
import { t, word } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { When } from "../../frame/parts.js";
import { href } from "../../frame/router.js";
import { html, useEffect, useState } from "../../frame/ui.js";
import { api, queryOf } from "../../frame/api.js";
import { nameOf, place } from "./common.js";
import { Changed } from "./diff.js";

const MOST_ALIKE = 20;

/** A tool call as text. */
export const callText = (call) => `${call.name}(${typeof call.arguments === "string" ? call.arguments : JSON.stringify(call.arguments)})`;

const Calls = ({ target }) => (target.tool_calls || []).map((call, index) => html`<p class="call" key=${index}>${icon("go", 13)}<code>${callText(call)}</code></p>`);

/** A chip that says on what ground the words may train. */
export const Basis = ({ code }) => html`<span class=${`chip ${code === "no" ? "bad" : ""}`} title=${t(`review.basisMeans.${code}`)}>${t(`review.basis.${code}`)}</span>`;

function Said({ example }) {
  const { target, rejected } = example;
  const both = rejected && (rejected.content || "") && (target.content || "");
  return html`<div class=${rejected ? "sides two" : "sides"}>
    ${rejected && html`<section class="side" aria-labelledby="was-title"><h3 id="was-title">${t("review.was")}</h3>
      ${both ? html`<${Changed} before=${rejected.content} after=${target.content} side="before" />` : html`<p class="words" dir="auto">${rejected.content}</p>`}<${Calls} target=${rejected} /></section>`}
    <section class="side good" aria-labelledby="should-title"><h3 id="should-title">${t(rejected ? "review.should" : "review.answer")}${example.edited && html` <span class="chip">${t("review.edited")}</span>`}</h3>
      ${both ? html`<${Changed} before=${rejected.content} after=${target.content} side="after" />` : html`<p class="words" dir="auto">${target.content}</p>`}<${Calls} target=${target} /></section></div>`;
}

function Prompt({ whole }) {
  return html`<details class="part"><summary>${t("review.prompt", { n: whole.messages.length })}${icon("chevron", 16)}</summary>
    <p class="soft">${t(whole.example.exact ? "review.exact" : "review.inexact")}</p>
    <ol class="prompt" role="list">${whole.messages.map((message, index) => html`<li key=${index}><b>${word("review.speaker", message.role)}</b><p class="words" dir="auto" tabindex="0">${typeof message.content === "string" ? message.content : JSON.stringify(message.content)}</p></li>`)}</ol></details>`;
}

const Sources = ({ sources }) => sources.length > 0 && html`<details class="part"><summary>${t("review.sources", { n: sources.length })}${icon("chevron", 16)}</summary>
  <ol class="prompt" role="list">${sources.map((source, index) => html`<li key=${index}><b>[${index + 1}] ${source.title}</b><p class="words" dir="auto">${source.text}</p></li>`)}</ol></details>`;

function Alike({ example, count }) {
  const [rows, setRows] = useState(null);
  const look = async (event) => {
    if (event.currentTarget.open && !rows) setRows((await api("GET", `/api/examples${queryOf({ cluster: example.cluster, limit: MOST_ALIKE })}`)).examples.filter((row) => row.id !== example.id));
  };
  if (count < 2) return null;
  return html`<details class="part" onToggle=${look}><summary>${t("review.alike", { n: count - 1 })}${icon("chevron", 16)}</summary>
    <ul class="lines">${(rows || []).map((row) => html`<li key=${row.id}><div class="what"><b>${row.question}</b><span>${row.target.content}</span></div><span class="chip">${t(`training.status.${row.status}`)}</span></li>`)}</ul></details>`;
}

const Word = ({ one }) => html`<li><div class="what"><b>${nameOf(one.reviewer)}</b><span>${t(`review.verdict.${one.verdict}`)}${one.reasons.length ? `: ${one.reasons.map((code) => word("review.reason", code)).join(", ")}` : ""} · <${When} at=${one.created_at} /></span></div></li>`;

const Reviews = ({ reviews }) => reviews.length > 0 && html`<section class="part open"><h3>${t("review.words")}</h3><ul class="lines">${reviews.map((one) => html`<${Word} key=${one.reviewer} one=${one} />`)}</ul></section>`;

/** The whole example; `line` is its line in the queue, where it stands in one. */
export function Example({ whole, line }) {
  const { example } = whole;
  return html`<article class="example" aria-labelledby="asked-title">
    <header class="example-head"><h2 id="asked-title">${t("review.asked")}</h2>
      <span class="acts"><span class="chip">${word("training.behaviour", example.behaviour)}</span><span class="chip">${word("training.origin", example.origin)}</span>
        ${example.language && html`<span class="chip">${example.language.toUpperCase()}</span>`}<span class="chip">${channelName(example.channel)}</span><${Basis} code=${example.basis} /></span></header>
    <p class="asked words" dir="auto">${example.question}</p>
    <${Said} example=${example} />
    <p class="from">${t("review.from", { who: example.person ? nameOf(example.person) : t("role.assistant") })} · <${When} at=${example.created_at} />
      ${example.conversation_id && html` · <a href=${href(`/inbox/${example.conversation_id}`)}>${t("review.conversation")}</a>`}
      ${example.release_id && html` · <a href=${href(place("promote", example.release_id))}>${t("review.release")}</a>`}</p>
    <${Alike} key=${`${example.id}-alike`} example=${example} count=${line?.alike ?? 1} /><${Reviews} reviews=${whole.reviews} /><${Prompt} whole=${whole} /><${Sources} sources=${whole.sources} />
  </article>`;
}
