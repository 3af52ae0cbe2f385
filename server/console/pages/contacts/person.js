// One customer: who it is on which channel, what staff note, everything that was talked about, and what becomes of it.
import { api } from "../../frame/api.js";
import { channelIcon, channelName } from "../../frame/channels.js";
import { ago, moment, number, t, word } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { listen } from "../../frame/live.js";
import { Avatar, Empty, IconButton, Waiting, plain, useRead } from "../../frame/parts.js";
import { go, href } from "../../frame/router.js";
import { may } from "../../frame/session.js";
import { html, useEffect } from "../../frame/ui.js";
import { Attributes } from "./attributes.js";
import { Addresses } from "./contact.js";
import { Data } from "./data.js";
import { Merges } from "./merges.js";

const Card = ({ id, title, note, children }) => html`<section class="card" aria-labelledby=${id}><div class="head"><h2 id=${id}>${title}</h2>${note}</div>${children}</section>`;

function Talks({ person }) {
  if (!person.conversations.length) return html`<p class="soft">${t("contacts.noTalks")}</p>`;
  return html`<ul class="lines talks">${person.conversations.map((talk) => {
    const cases = person.cases.filter((one) => one.conversation_id === talk.id);
    return html`<li key=${talk.id}><a href=${href(`/inbox/${talk.id}`)}>${icon(channelIcon(talk.channel), 15)}
        <span class="what"><b>${channelName(talk.channel)} · ${t(`status.${talk.status}`)}</b><span dir="auto">${talk.preview ? plain(talk.preview) : t("inbox.silent")}</span></span>
        <span class="soft">${t("contacts.messages", { n: talk.messages })} · ${ago(talk.said_at)}</span></a>
      ${cases.length > 0 && html`<ol class="cases" aria-label=${t("contacts.cases")}>${cases.map((one) => html`<li key=${one.id}><span>${moment(one.opened_at)}</span>
        <span class="soft">${one.closed_at ? t("customer.caseClosed", { when: ago(one.closed_at) }) : t("contacts.caseRuns")}${one.handed_reason ? ` · ${word("reason", one.handed_reason)}` : ""}${one.csat === null ? "" : ` · CSAT ${number(one.csat)}`}</span></li>`)}</ol>`}</li>`;
  })}</ul>`;
}

const Tickets = ({ person }) => html`<ul class="lines">${person.tickets.map((one) => html`<li key=${one.id}><div class="what"><b dir="auto">${one.summary}</b>
  <span>${word("priority", one.priority)} · ${t(one.state === "open" ? "contacts.ticketOpen" : "contacts.ticketClosed")} · ${ago(one.created_at)}</span></div>
  <a class="soft-link" href=${href(`/inbox/${one.conversation_id}`)}>${t("contacts.toTalk")}</a></li>`)}</ul>`;

export function Person({ id, query }) {
  const [person, error, read] = useRead(() => api("GET", `/api/customers/${id}`), [id]);
  const back = () => go("/contacts", query);
  useEffect(() => listen((frame) => frame.event === "customer" && frame.data.customer === id && frame.data.what !== "erased" && read()), [id]);
  if (error?.status === 404) return html`<${Empty} picture="contacts" title=${t("contacts.gone")} text=${error.message}><a class="button" href=${href("/contacts", query)}>${t("contacts.all")}</a></${Empty}>`;
  if (error) return html`<p class="note bad" role="alert">${error.message}</p>`;
  if (!person) return html`<${Waiting} />`;
  const name = person.name || t("visitor");
  return html`<div class="person">
    <header class="person-head"><${IconButton} picture="back" look="contact-back" name=${t("contacts.all")} onClick=${back} /><${Avatar} name=${person.name} seed=${person.id} />
      <div class="grow"><h2 class="person-name" dir="auto">${name}</h2><p class="soft">${t("customer.since", { when: ago(person.created_at) })} · ${t("contacts.talks", { n: person.conversations.length })}</p></div>
      ${person.banned_at && html`<span class="chip bad">${t("contacts.banned")}</span>`}</header>
    <div class="cards"><div class="column">
        <${Card} id="addresses-title" title=${t("contacts.addresses")}><p class="soft">${t("contacts.masked")}</p><${Addresses} person=${person} /></${Card}>
        <${Card} id="attributes-title" title=${t("contacts.attributes")}><${Attributes} person=${person} done=${read} /></${Card}>
        <${Card} id="merges-title" title=${t("contacts.merges.title")}><${Merges} person=${person} done=${read} /></${Card}></div>
      <div class="column">
        <${Card} id="talks-title" title=${t("contacts.history")}><${Talks} person=${person} /></${Card}>
        ${person.tickets.length > 0 && html`<${Card} id="tickets-title" title=${t("contacts.tickets")}><${Tickets} person=${person} /></${Card}>`}
        ${may("admin") && html`<${Card} id="data-title" title=${t("contacts.data.title")}><${Data} person=${person} gone=${back} /></${Card}>`}</div></div>
  </div>`;
}
