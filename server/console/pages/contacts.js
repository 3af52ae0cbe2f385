// Contacts: everybody who ever wrote, found by name or address; one of them with history, copy and end of their data.
import { api, queryOf } from "../frame/api.js";
import { channelIcon, channelName } from "../frame/channels.js";
import { age, ago, number, t } from "../frame/i18n.js";
import { icon } from "../frame/icons.js";
import { listen } from "../frame/live.js";
import { Avatar, Empty, Waiting } from "../frame/parts.js";
import { href, patch } from "../frame/router.js";
import { may } from "../frame/session.js";
import { sheet } from "../frame/sheet.js";
import { classes, html, useEffect, useRef, useState } from "../frame/ui.js";
import { Virtual } from "../frame/virtual.js";
import { Erasures } from "./contacts/erasures.js";
import { Person } from "./contacts/person.js";

await sheet("contacts.css");

const ROW_PX = 60;
const PAGE = 100;
const ASK_MS = 200; // after the last letter

/** The list behind a search: rows (null while none were read), how to read on, what went wrong. */
function useContacts(q) {
  const [found, setFound] = useState({ rows: null, next: null, error: null });
  const state = useRef({ q, busy: false });
  const read = async (cursor = "") => {
    const asked = state.current.q;
    state.current.busy = true;
    try {
      const page = await api("GET", `/api/customers${queryOf({ q: asked, cursor, limit: PAGE })}`);
      if (asked === state.current.q) setFound(({ rows }) => ({ rows: cursor ? [...(rows || []), ...page.customers] : page.customers, next: page.next, error: null }));
    } catch (error) {
      if (error.status === undefined) throw error;
      setFound(({ rows }) => ({ rows: rows || [], next: null, error }));
    } finally {
      state.current.busy = false;
    }
  };
  useEffect(() => {
    state.current.q = q;
    read();
    return listen((frame) => frame.event === "customer" && read());
  }, [q]);
  const more = () => found.next && !state.current.busy && read(found.next);
  return { ...found, more };
}

function Row({ row, current, query }) {
  return html`<a class="contact" href=${href(`/contacts/${row.id}`, query)} aria-current=${current ? "true" : undefined}>
    <${Avatar} name=${row.name} seed=${row.id} />
    <span class="contact-text"><b dir="auto">${row.name || t("visitor")}</b>
      <span class="soft">${t("contacts.talks", { n: row.conversations })}${row.open_ones ? ` · ${t("contacts.open", { n: row.open_ones })}` : ""}</span></span>
    <span class="contact-end"><span class="soft" title=${ago(row.said_at)}>${age(row.said_at)}</span>
      <span class="glyphs">${row.banned_at && html`<span class="chip bad">${t("contacts.banned")}</span>`}${row.channels.map((name) => html`<span key=${name} title=${channelName(name)}>${icon(channelIcon(name), 13)}<span class="unseen">${channelName(name)}</span></span>`)}</span></span>
  </a>`;
}

function Search({ q }) {
  const [text, setText] = useState(q);
  const timer = useRef(0);
  const type = (event) => {
    const value = event.currentTarget.value;
    setText(value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => patch({ find: value.trim() }, { replace: true }), ASK_MS);
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  return html`<label class="contact-search"><span class="unseen">${t("contacts.search")}</span>${icon("search", 16)}
    <input type="search" value=${text} placeholder=${t("contacts.search")} onInput=${type} /></label>`;
}

export default function Contacts({ inside, query }) {
  const q = query.find || ""; // not q: that is the search of conversations in the top bar
  const { rows, error, more } = useContacts(q);
  const erasures = inside === "erasures";
  const index = rows ? rows.findIndex((row) => row.id === inside) : -1;
  return html`<div class=${classes("contacts", inside && "has-open")}>
    <section class="contact-list" aria-label=${t("pages.contacts")}>
      <header class="contact-head"><div class="head"><h1>${t("pages.contacts")}</h1>
        ${may("admin") && html`<a class="soft-link" href=${href("/contacts/erasures", query)} aria-current=${erasures ? "page" : undefined}>${t("contacts.erasures.title")}</a>`}</div>
        <${Search} q=${q} /></header>
      ${error && html`<p class="note bad" role="alert">${error.message}</p>`}
      ${rows === null ? html`<${Waiting} rows=${8} />` : rows.length === 0 ? html`<${Empty} picture="contacts" title=${t(q ? "contacts.nobody" : "contacts.none")} text=${t(q ? "contacts.nobodyNext" : "contacts.noneNext")} />`
        : html`<${Virtual} class="virtual rows" rows=${rows} height=${ROW_PX} selected=${index} label=${t("pages.contacts")} onEnd=${more}
          draw=${(row) => html`<${Row} row=${row} current=${row.id === inside} query=${query} />`} />`}
      ${rows?.length > 0 && html`<p class="unseen" role="status">${t("contacts.shown", { n: number(rows.length) })}</p>`}
    </section>
    <section class="contact-main" aria-label=${t("contacts.one")}>${erasures ? html`<${Erasures} />` : inside ? html`<${Person} key=${inside} id=${inside} query=${query} />`
      : html`<${Empty} picture="contacts" title=${t("contacts.choose")} text=${t("contacts.chooseNext")} />`}</section>
  </div>`;
}
