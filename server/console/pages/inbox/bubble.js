// One message of a thread: who said it, what became of it, and what can be done about it.
import { api } from "../../frame/api.js";
import { clock, iso, moment, t, word } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { render as markdown } from "../../frame/markdown.js";
import { failed } from "../../frame/overlay.js";
import { Avatar, Button, IconButton } from "../../frame/parts.js";
import { may, person } from "../../frame/session.js";
import { classes, html, useLayoutEffect, useRef, useState } from "../../frame/ui.js";
import { Correct } from "./correct.js";
import { again } from "./replies.js";
import { Why } from "./why.js";

const SIDES = { customer: "start", assistant: "end", staff: "end", notice: "middle", note: "wide" };
const TICKS = { queued: "clock", sending: "clock", sent: "check", delivered: "double", read: "double" };

/** Text as safe Markdown, drawn into one node that belongs to the renderer. */
export function Marked({ text }) {
  const node = useRef(null);
  useLayoutEffect(() => markdown(node.current, text), [text]);
  return html`<div class="marked" dir="auto" ref=${node}></div>`;
}

function Delivery({ delivery, retry }) {
  if (!delivery) return null;
  const bad = ["failed", "expired", "parked", "cancelled", "uncertain"].includes(delivery.state);
  const label = word("delivery", delivery.state);
  if (!bad) return html`<span class=${classes("tick", delivery.state === "read" && "read")} title=${moment(delivery.updated_at)}>${icon(TICKS[delivery.state] || "clock", 14)}<span class="unseen">${label}</span></span>`;
  return html`<span class="undelivered">${icon("alert", 14)}<b>${label}</b> ${[delivery.reason && word("reason", delivery.reason), delivery.detail].filter(Boolean).join(": ")}
    ${retry && delivery.state !== "uncertain" && html`<${Button} look="tiny" run=${retry}>${t("retry")}</${Button}>`}</span>`;
}

const Files = ({ files }) => html`<ul class="files">${files.map((file) => html`<li key=${file.id}>${icon("file", 16)}
  ${file.state === "stored" ? html`<a href=${`/api/media/${file.id}`} target="_blank" rel="noopener">${file.name || file.kind}</a>` : html`<span>${file.name || file.kind} · ${word("file", file.state)}${file.reason ? `: ${file.reason}` : ""}</span>`}
  ${file.transcript && html`<p class="soft" dir="auto">${file.transcript}</p>`}</li>`)}</ul>`;

const Citations = ({ rows }) => html`<ol class="citations" aria-label=${t("thread.sources")}>${rows.map((each) => html`<li key=${each.number} value=${each.number}>${each.title}${each.heading && each.heading !== each.title ? ` › ${each.heading}` : ""}</li>`)}</ol>`;

/** What the customer thought of an answer. */
const Rated = ({ rated }) => html`<span class=${classes("chip rated", rated.value === "down" ? "bad" : "good")} title=${rated.comment || ""}>${icon(rated.value, 12)}<span>${t(`thread.rated.${rated.value}`)}${rated.reason ? `: ${word("correct.reasons", rated.reason)}` : ""}${rated.comment ? ` · “${rated.comment}”` : ""}</span></span>`;

function Acts({ message, turn, steps }) {
  const [why, setWhy] = useState(false);
  const [thumb, setThumb] = useState(message.rating ?? null);
  const [correcting, setCorrecting] = useState(false);
  const rate = async (value) => {
    const before = thumb;
    const wanted = thumb === value ? null : value;
    setThumb(wanted);
    try {
      await api("POST", "/api/feedback", { message_id: message.id, value: wanted });
    } catch (error) {
      setThumb(before);
      failed(error);
    }
  };
  const id = `why-${message.id}`;
  return html`<span class="acts small">
      <button type="button" class="tiny" aria-expanded=${why} aria-controls=${id} onClick=${() => setWhy(!why)}>${icon("why", 14)}${t("why.ask")}</button>
      ${may("staff") && html`
        <${IconButton} look=${classes("small", thumb === "up" && "on")} picture="up" name=${t("thread.good")} aria-pressed=${thumb === "up"} onClick=${() => rate("up")} />
        <${IconButton} look=${classes("small", thumb === "down" && "on bad")} picture="down" name=${t("thread.bad")} aria-pressed=${thumb === "down"} onClick=${() => rate("down")} />
        <${IconButton} look="small" picture="edit" name=${t("correct.title")} onClick=${() => setCorrecting(true)} />`}
    </span>
    ${correcting && html`<${Correct} message=${message} close=${() => setCorrecting(false)} />`}
    ${why && html`<${Why} turn=${turn} steps=${steps} message=${message} id=${id} />`}`;
}

const author = (message, name) => {
  if (message.role === "customer") return name;
  if (message.role === "assistant") return t("role.assistant");
  return message.author === person.value.id ? t("inbox.you") : message.author_name || t("inbox.staff");
};

/** A message; `first` of a row by the same author shows who it is. */
export function Bubble({ message, first, turn, steps, name, seed }) {
  if (message.role === "notice") return html`<li class="said middle"><p dir="auto">${message.text}</p></li>`;
  const side = SIDES[message.role] || "start";
  const who = author(message, name);
  const citations = message.body?.citations || [];
  return html`<li class=${classes("said", side, message.role, first && "first")} data-message=${message.id}>
    ${side === "start" && html`<span class="said-face">${first && html`<${Avatar} name=${name} seed=${seed} small />`}</span>`}
    <article class="said-body" aria-label=${t("thread.said", { who, when: clock(message.created_at) })}>
      ${first && html`<header>${message.role === "assistant" ? html`<span class="badge">${t("thread.ai")}</span>` : message.role === "note" && html`${icon("note", 14)}`}<b>${who}</b>${message.role === "note" && html`<span class="soft">${t("note.internal")}</span>`}</header>`}
      <div class="bubble">
        <${Marked} text=${message.text || ""} />
        ${citations.length > 0 && html`<${Citations} rows=${citations} />`}
        ${message.files?.length > 0 && html`<${Files} files=${message.files} />`}
      </div>
      <footer><time datetime=${iso(message.created_at)} title=${moment(message.created_at)}>${clock(message.created_at)}</time>
        ${message.edited_at && html`<span class="soft">${t("thread.edited")}</span>`}
        <${Delivery} delivery=${message.delivery} retry=${may("staff") && (() => again(seed, message.id))} />
        ${message.rated && html`<${Rated} rated=${message.rated} />`}
        ${message.role === "assistant" && html`<${Acts} message=${message} turn=${turn} steps=${steps} />`}
      </footer>
    </article></li>`;
}

/** A reply that is not stored yet: it can be taken back, or tried again. */
export const OnItsWay = ({ reply, undo, again: resend, drop }) => html`<li class=${classes("said end first", reply.note ? "note wide" : "staff", reply.state)}>
  <article class="said-body"><div class="bubble"><${Marked} text=${reply.text} /></div>
    <footer>${reply.state === "failed" ? html`<span class="undelivered" role="alert">${icon("alert", 14)}${reply.why}</span>
        <button type="button" class="tiny" onClick=${resend}>${t("retry")}</button><button type="button" class="tiny" onClick=${drop}>${t("composer.takeBack")}</button>`
      : html`<span class="soft">${t(reply.state === "held" ? "composer.held" : "composer.sending")}</span>
        ${reply.state === "held" && undo && html`<button type="button" class="tiny" onClick=${undo}>${t("undo")}</button>`}`}</footer></article></li>`;
