// The fourth column: who writes, what they asked before, and what is known about this conversation.
import { api } from "../../frame/api.js";
import { channelIcon, channelName } from "../../frame/channels.js";
import { ago, moment, number, t, word } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { listen } from "../../frame/live.js";
import { Avatar, IconButton, useRead } from "../../frame/parts.js";
import { href } from "../../frame/router.js";
import { optional } from "../../frame/session.js";
import { sheet } from "../../frame/sheet.js";
import { html, useEffect } from "../../frame/ui.js";
import { Addresses } from "../contacts/contact.js";
import { nameOf } from "./list.js";

import { Promises } from "./promises.js";
import { OwnTickets } from "./tickets.js";

sheet("contacts.css");

const Part = ({ title, open = true, children }) => html`<details class="part" open=${open}><summary>${title}${icon("chevron", 14)}</summary>${children}</details>`;
const Fact = ({ name, children }) => html`<div class="fact"><dt>${name}</dt><dd dir="auto">${children}</dd></div>`;

function figures(detail) {
  const replies = detail.messages.filter((message) => message.role === "assistant");
  const tokens = detail.turns.reduce((sum, turn) => sum + (turn.prompt_tokens || 0) + (turn.completion_tokens || 0), 0);
  return { messages: detail.messages.length, replies: replies.length, tools: detail.steps.length, tokens };
}

/** The customer behind a conversation, with history; null while it is read, or where there is none. */
function useCustomer(id) {
  const [found, , read] = useRead(() => (id ? optional(() => api("GET", `/api/conversations/${id}/customer`)) : Promise.resolve(null)), [id]);
  useEffect(() => listen((frame) => frame.event === "customer" && ["changed", "merged", "unmerged"].includes(frame.data.what) && read()), [id]);
  return found;
}

function Past({ person, current }) {
  const others = person.conversations.filter((each) => each.id !== current);
  return html`<${Part} title=${t("customer.past")}>${others.length ? html`<ul class="past">${others.map((each) => html`<li key=${each.id}>
    <a href=${href(`/inbox/${each.id}`)}>${icon(channelIcon(each.channel), 13)}<span class="grow">${each.preview || channelName(each.channel)}</span><span class="soft">${ago(each.updated_at)}</span></a></li>`)}</ul>` : html`<p class="soft">${t("customer.first")}</p>`}</${Part}>`;
}

/** Who it is, on every channel, masked; what staff noted; the way to copy and erase. */
const Known = ({ person }) => html`<${Part} title=${t("contacts.addresses")}><${Addresses} person=${person} />
    ${person.alike.length > 0 && html`<p class="note warn">${t("contacts.merges.alike")}: ${person.alike.map((one) => one.name || t("visitor")).join(", ")}</p>`}
    <a class="soft-link" href=${href(`/contacts/${person.id}`)}>${t("contacts.full")}</a></${Part}>
  ${Object.keys(person.attributes).length > 0 && html`<${Part} title=${t("contacts.attributes")}><dl class="facts">${Object.entries(person.attributes).map(([name, value]) => html`<${Fact} key=${name} name=${name}>${value}</${Fact}>`)}</dl></${Part}>`}`;

export function Customer({ detail, close }) {
  const person = useCustomer(detail?.conversation.id);
  if (!detail) return html`<aside class="profile" aria-label=${t("customer.panel")}></aside>`;
  const { conversation: row, case: episode } = detail;
  const count = figures(detail);
  return html`<aside class="profile" aria-label=${t("customer.panel")}>
    <header class="profile-head"><${Avatar} name=${nameOf(row)} seed=${row.id} /><div class="grow"><h2>${nameOf(row)}</h2><p class="soft">${channelName(row.channel)} · ${t("customer.since", { when: ago(row.created_at) })}</p></div>
      <${IconButton} picture="close" look="small panel-close" name=${t("close")} onClick=${close} /></header>
    ${row.opted_out_at && html`<p class="note warn">${t("customer.optedOut")}</p>`}
    ${row.blocked_at && html`<p class="note bad">${t("customer.blocked")}</p>`}${row.banned_at && html`<p class="note bad">${t("block.is")}</p>`}
    <${Part} title=${t("customer.contact")}><dl class="facts">
      <${Fact} name=${t("customer.channel")}>${channelName(row.channel)}${row.account === "default" ? "" : ` / ${row.account}`}</${Fact}>
      <${Fact} name=${t("customer.language")}>${row.language ? new Intl.DisplayNames([document.documentElement.lang], { type: "language" }).of(row.language) : "–"}</${Fact}>
      ${detail.promises?.email && html`<${Fact} name=${t("customer.leftEmail")}>${detail.promises.email}</${Fact}>`}
    </dl></${Part}>
    ${person && html`<${Known} person=${person} />`}
    <${Part} title=${t("customer.conversation")}><dl class="facts">
      <${Fact} name=${t("customer.begun")}>${moment(row.created_at)}</${Fact}>
      ${episode && html`<${Fact} name=${t("customer.case")}>${episode.closed_at ? t("customer.caseClosed", { when: ago(episode.closed_at) }) : t("customer.caseOpen", { when: ago(episode.opened_at) })}</${Fact}>`}
      ${row.reason && html`<${Fact} name=${t("customer.reason")}>${word("reason", row.reason)}</${Fact}>`}
      ${episode?.csat != null && html`<${Fact} name="CSAT">${number(episode.csat)} / 5</${Fact}>`}
      ${episode?.release_id && html`<${Fact} name=${t("why.release")}><a href=${href("/training", { release: episode.release_id })}>${episode.release_id}</a></${Fact}>`}
    </dl></${Part}>
    <${Part} title=${t("tickets.title")}><${OwnTickets} key=${row.id} conversation=${row.id} /></${Part}>
    <${Part} title=${t("promise.title")} open=${false}><${Promises} promises=${detail.promises} /></${Part}>
    <${Part} title=${t("customer.figures")}><dl class="facts figures">
      <${Fact} name=${t("customer.messages")}>${number(count.messages)}</${Fact}><${Fact} name=${t("customer.answers")}>${number(count.replies)}</${Fact}>
      <${Fact} name=${t("customer.tools")}>${number(count.tools)}</${Fact}><${Fact} name=${t("customer.tokens")}>${number(count.tokens)}</${Fact}>
    </dl></${Part}>
    ${person && html`<${Past} person=${person} current=${row.id} />`}
  </aside>`;
}
