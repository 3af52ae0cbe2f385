// Correcting an answer: kept with its original, sorted into fact or behaviour, decided by a person, and seen at work.
import { api } from "../../frame/api.js";
import { moment, t, word } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { Dialog, announce, toast } from "../../frame/overlay.js";
import { Button } from "../../frame/parts.js";
import { html, useEffect, useState } from "../../frame/ui.js";

const REASONS = ["wrong", "unclear", "incomplete", "tone", "format", "tool", "handoff", "other"];
const LOOK_MS = 500;
const LOOKS = 60; // half a minute; the index needs seconds

const Field = ({ label, value, change, rows = 4 }) => html`<label>${label}<textarea rows=${rows} value=${value} onInput=${(event) => change(event.currentTarget.value)} dir="auto"></textarea></label>`;

/** First step: what the answer should have been. */
function Write({ message, close, kept }) {
  const [text, setText] = useState(message.text);
  const [reason, setReason] = useState("wrong");
  const save = async () => {
    const made = await api("POST", "/api/corrections", { message_id: message.id, text, reason });
    kept({ ...(await api("GET", `/api/corrections/${made.id}/suggestion`)), id: made.id });
    announce(t("correct.kept"));
  };
  return html`<p class="soft">${t("correct.lead")}</p>
    <${Field} label=${t("correct.text")} value=${text} change=${setText} rows="8" />
    <label>${t("correct.reason")}<select value=${reason} onChange=${(event) => setReason(event.currentTarget.value)}>${REASONS.map((each) => html`<option key=${each} value=${each}>${t(`correct.reasons.${each}`)}</option>`)}</select></label>
    <footer class="acts end"><button type="button" onClick=${close}>${t("cancel")}</button>
      <${Button} look="main" run=${save} disabled=${!text.trim() || text.trim() === message.text.trim()}>${t("correct.save")}</${Button}></footer>`;
}

/** What the knowledge would say: a sentence in the place of another one, or a new entry. */
function Change({ change, set }) {
  return html`<fieldset class="change"><legend>${t(change.kind === "edit" ? "correct.edits" : "correct.creates", { title: change.title })}</legend>
    ${change.kind === "edit"
      ? html`<p><span class="soft">${t("correct.before")}</span><br /><del dir="auto">${change.before}</del></p>`
      : html`<label>${t("correct.question")}<input value=${change.title} onInput=${(event) => set({ ...change, title: event.currentTarget.value })} dir="auto" /></label>`}
    <${Field} label=${t("correct.after")} value=${change.after} change=${(after) => set({ ...change, after })} /></fieldset>`;
}

/** Second step: the suggestion with its reasons; a person decides. */
function Decide({ found, close, decided }) {
  const begun = found.proposal ?? { kind: "create", title: found.question.slice(0, 300), before: "", after: "", document_id: "" };
  const [change, setChange] = useState(begun);
  const fact = found.route === "fact";
  const send = (route) => async () => {
    const { kind, title, before, after, document_id } = change;
    const body = route === "fact" ? { route, change: { kind, title, before, after, document_id } } : { route };
    await api("POST", `/api/corrections/${found.id}/decide`, body);
    if (route === "fact") return decided();
    toast(t("correct.queued"));
    return close();
  };
  const choices = [
    html`<${Button} key="fact" look=${fact ? "main" : ""} run=${send("fact")} disabled=${change.kind === "create" && !(change.after.trim() && change.title.trim())}>${t("correct.asFact")}</${Button}>`,
    html`<${Button} key="behaviour" look=${fact ? "" : "main"} run=${send("behaviour")}>${t("correct.asBehaviour")}</${Button}>`,
  ];
  return html`<p role="status" data-route=${found.route}>${icon("spark", 16)} <b>${t(fact ? "correct.isFact" : "correct.isBehaviour")}</b> <span class="soft">${found.why.map((each) => word("correct.why", each)).join(", ")}</span></p>
    <${Change} change=${change} set=${setChange} />
    <footer class="acts end"><button type="button" onClick=${close}>${t("correct.later")}</button>${fact ? choices.reverse() : choices}</footer>`;
}

/** Third step: when the fact is live, and what the assistant answers now. */
function Live({ id, close }) {
  const [result, setResult] = useState(null);
  const [tried, setTried] = useState(null);
  useEffect(() => {
    let left = LOOKS;
    let timer = 0;
    const look = async () => {
      const { result: now } = await api("GET", `/api/corrections/${id}/result`);
      setResult(now);
      left -= 1;
      if (now && !now.live && left > 0 && now.state !== "failed") timer = setTimeout(look, LOOK_MS);
    };
    timer = setTimeout(look, 0);
    return () => clearTimeout(timer);
  }, [id]);
  const again = async () => setTried(await api("POST", `/api/corrections/${id}/try`));
  return html`<p role="status" data-live=${Boolean(result?.live)}>${icon(result?.live ? "check" : "clock", 16)} ${result?.live ? t("correct.live", { title: result.title, when: moment(result.indexed_at) }) : t("correct.indexing")}</p>
    ${tried && html`<section class="suggestion"><header><b>${t("correct.now")}</b> <span class="soft">${t(tried.rests_on_it ? "correct.rests" : "correct.restsNot")}</span></header><p dir="auto">${tried.text}</p></section>`}
    <footer class="acts end"><${Button} run=${again} disabled=${!result?.live}>${t("correct.try")}</${Button}><button type="button" class="main" onClick=${close}>${t("close")}</button></footer>`;
}

/** Corrects an answer: the customer keeps what they got. */
export function Correct({ message, close }) {
  const [found, setFound] = useState(null);
  const [live, setLive] = useState(false);
  return html`<${Dialog} title=${t("correct.title")} close=${close} wide>
    ${!found && html`<${Write} message=${message} close=${close} kept=${setFound} />`}
    ${found && !live && html`<${Decide} found=${found} close=${close} decided=${() => setLive(true)} />`}
    ${live && html`<${Live} id=${found.id} close=${close} />`}
  </${Dialog}>`;
}
