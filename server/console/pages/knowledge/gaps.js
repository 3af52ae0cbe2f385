// Gaps: what customers asked and nothing answered, the same question in other words as one line of work.
import { api, queryOf } from "../../frame/api.js";
import { number, t } from "../../frame/i18n.js";
import { channelIcon } from "../../frame/channels.js";
import { icon } from "../../frame/icons.js";
import { Dialog, failed, toast } from "../../frame/overlay.js";
import { Button, Empty, Waiting, When, useRead } from "../../frame/parts.js";
import { href, patch } from "../../frame/router.js";
import { html, useState } from "../../frame/ui.js";
import { Live } from "./parts.js";

const STATES = ["open", "solved", "dismissed"];
const KINDS = ["unanswered", "unsupported", "handoff", "thumbs_down"];
const PAGE = 50;

function Answer({ gap, close, done }) {
  const [question, setQuestion] = useState(gap.question);
  const [text, setText] = useState("");
  const [state, setState] = useState({ trouble: "", saved: null });
  const save = async (event) => {
    event.preventDefault();
    try {
      const saved = await api("POST", `/api/gaps/${gap.id}/answer`, { question, answer: text });
      setState({ trouble: "", saved });
      await done();
    } catch (error) {
      if (error.status === undefined) throw error;
      setState({ trouble: error.message, saved: null });
    }
  };
  return html`<${Dialog} title=${t("knowledge.writeAnswer")} close=${close} wide>${state.saved
    ? html`<p>${t("knowledge.gapSolved")}</p><${Live} document=${state.saved} /><span class="acts end"><a class="button" href=${href("/knowledge/search", { ask: question })} onClick=${close}>${t("knowledge.tryIt")}</a><button type="button" class="main" onClick=${close}>${t("close")}</button></span>`
    : html`<form class="stack" onSubmit=${save}><label>${t("knowledge.question")}<input value=${question} required maxlength="2000" dir="auto" onInput=${(event) => setQuestion(event.currentTarget.value)} /><small>${t("knowledge.questionHint")}</small></label>
      <label>${t("knowledge.answer")}<textarea rows="8" value=${text} required dir="auto" onInput=${(event) => setText(event.currentTarget.value)}></textarea><small>${t("knowledge.markdown")}</small></label>
      ${state.trouble && html`<p class="note bad" role="alert">${state.trouble}</p>`}
      <span class="acts end"><button type="button" onClick=${close}>${t("cancel")}</button><button type="submit" class="main">${t("knowledge.saveAnswer")}</button></span></form>`}</${Dialog}>`;
}

function Examples({ id }) {
  const [found, error] = useRead(() => api("GET", `/api/gaps/${id}`));
  if (error) return html`<p class="note bad" role="alert">${error.message}</p>`;
  if (!found) return html`<${Waiting} rows=${2} />`;
  return html`<ul class="examples">${found.questions.map((each) => html`<li key=${each.id}>${icon(channelIcon(each.channel), 14)}<span class="grow" dir="auto">“${each.question}”</span>
    <span class="chip">${t(`knowledge.signs.${each.kind}`)}</span><a href=${href(`/inbox/${each.conversation_id}`)}>${t("knowledge.conversation")}</a><span class="soft"><${When} at=${each.at} /></span></li>`)}</ul>`;
}

function Row({ gap, answer, decide }) {
  const [open, setOpen] = useState(false);
  return html`<li class="gap"><header><span class="asked" title=${t("knowledge.asked", { n: gap.asked })}><b>${number(gap.asked)}</b><span class="unseen">${t("knowledge.asked", { n: gap.asked })}</span></span>
      <div class="what"><b dir="auto">${gap.question}</b><span>${t("knowledge.lastAsked")} <${When} at=${gap.last_at} />${gap.reopened ? ` · ${t("knowledge.reopened", { n: gap.reopened })}` : ""}</span></div>
      <span class="signs">${KINDS.filter((kind) => gap.kinds[kind]).map((kind) => html`<span class="chip" key=${kind}>${t(`knowledge.signs.${kind}`)} ${number(gap.kinds[kind])}</span>`)}</span>
      <span class="acts"><button type="button" class="small" aria-expanded=${open} onClick=${() => setOpen(!open)}>${t("knowledge.examples")}</button>
        ${gap.state === "open" ? html`<button type="button" class="small main" onClick=${() => answer(gap)}>${t("knowledge.writeAnswer")}</button><${Button} look="small" run=${() => decide(gap, "dismissed")}>${t("knowledge.dismiss")}</${Button}>`
          : html`${gap.document_id && html`<a class="button small" href=${href(`/knowledge/documents/${gap.document_id}`)}>${t("knowledge.theAnswer")}</a>`}<${Button} look="small" run=${() => decide(gap, "open")}>${t("knowledge.reopen")}</${Button}>`}</span></header>
    ${open && html`<${Examples} id=${gap.id} />`}</li>`;
}

export function Gaps({ query }) {
  const state = STATES.includes(query.state) ? query.state : "open";
  const [found, error, read] = useRead(() => api("GET", `/api/gaps${queryOf({ state, limit: PAGE })}`), [state]);
  const [older, setOlder] = useState({ state, rows: [], next: null });
  const [answering, setAnswering] = useState(null);
  const mine = older.state === state && older.rows.length > 0;
  const next = mine ? older.next : found?.next;
  const again = async () => (setOlder({ state, rows: [], next: null }), read());
  const more = async () => {
    const page = await api("GET", `/api/gaps${queryOf({ state, limit: PAGE, cursor: next })}`);
    setOlder({ state, rows: [...(mine ? older.rows : []), ...page.gaps], next: page.next });
  };
  const decide = async (gap, wanted) => {
    await api("PUT", `/api/gaps/${gap.id}/state`, { state: wanted });
    const undo = wanted === "dismissed" ? () => api("PUT", `/api/gaps/${gap.id}/state`, { state: "open" }).then(again).catch(failed) : undefined;
    toast(t(wanted === "dismissed" ? "knowledge.dismissed" : "knowledge.isOpen"), { undo });
    await again();
  };
  const rows = [...(found?.gaps || []), ...(mine ? older.rows : [])].filter((gap) => gap.state === state);
  return html`<section class="card" aria-labelledby="gaps-title"><header class="head wrap"><div><h2 id="gaps-title">${t("knowledge.tabs.gaps")}</h2><p class="soft">${t("knowledge.gapsLead")}</p></div>
      <div class="tabs small" role="group" aria-label=${t("knowledge.state")}>${STATES.map((each) => html`<button type="button" key=${each} aria-pressed=${each === state} onClick=${() => patch({ state: each === "open" ? "" : each })}>${t(`knowledge.gapStates.${each}`)} ${number(found?.counts[each] ?? 0)}</button>`)}</div></header>
    ${error && html`<p class="note bad" role="alert">${error.message} <${Button} look="text" run=${read}>${t("retry")}</${Button}></p>`}
    ${!found && !error && html`<${Waiting} rows=${4} />`}
    ${found && rows.length === 0 && html`<${Empty} picture="check" title=${t(`knowledge.noGaps.${state}`)} text=${t("knowledge.noGapsNext")} />`}
    <ul class="gaps">${rows.map((gap) => html`<${Row} key=${gap.id} gap=${gap} answer=${setAnswering} decide=${decide} />`)}</ul>
    ${next && html`<${Button} run=${more}>${t("more")}</${Button}>`}
    ${answering && html`<${Answer} gap=${answering} close=${() => setAnswering(null)} done=${again} />`}</section>`;
}
