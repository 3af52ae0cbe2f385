// The second column: the conversations of a view, newest change first unless sorted otherwise.
import { channelIcon, channelName } from "../../frame/channels.js";
import { age, ago, t, word } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { Avatar, Button, Empty, Waiting, plain } from "../../frame/parts.js";
import { href, patch, route } from "../../frame/router.js";
import { person } from "../../frame/session.js";
import { classes, html } from "../../frame/ui.js";
import { Virtual } from "../../frame/virtual.js";
import { Bulk, Choose, choosing, chosen, toggle } from "./bulk.js";
import { filters, labels, teams, readList, readMore, rows, trouble } from "./desk.js";
import { Due } from "./promises.js";
import { ViewChoice } from "./views.js";

const ROW_PX = 76;
const SORTS = ["newest", "waiting", "priority"];

/** What a conversation is called in lists. */
export const nameOf = (row) => row.customer_name || t("visitor");

const holder = (row) => {
  if (row.status === "waiting") return html`<span class="chip warn">${icon("clock", 12)}${age(row.waiting_since ?? row.updated_at)}</span>`;
  if (row.status === "claimed") return html`<span class="chip good">${row.owner === person.value.id ? t("inbox.you") : row.owner_name || t("inbox.staff")}</span>`;
  if (row.status === "closed") return html`<span class="chip">${t("status.closed")}</span>`;
  return html`<span class="chip">${icon("bot", 12)}${t("status.bot")}</span>`;
};

function Row({ row, current }) {
  const fresh = row.unread && !current;
  const before = row.preview_role === "assistant" || row.preview_role === "staff" ? `${t(`role.${row.preview_role}`)}: ` : "";
  const name = nameOf(row);
  const picked = choosing.value && chosen.value.has(row.id);
  const pick = (event) => choosing.value && (event.preventDefault(), toggle(row.id));
  return html`<a class=${classes("row", fresh && "unread", picked && "picked")} onClick=${pick} role=${choosing.value ? "checkbox" : undefined} aria-checked=${choosing.value ? picked : undefined} href=${href(`/inbox/${row.id}`, route.value.query)} aria-current=${current ? "true" : undefined} data-id=${row.id}>
    <span class="row-face"><${Avatar} name=${name} seed=${row.id} /><span class="glyph" title=${channelName(row.channel)}>${icon(channelIcon(row.channel), 12)}</span></span>
    <span class="row-text">
      <span class="row-top"><b>${name}</b>${fresh && html`<span class="dot"><span class="unseen">${t("inbox.unread")}</span></span>`}<time title=${ago(row.preview_at ?? row.updated_at)}>${age(row.preview_at ?? row.updated_at)}</time></span>
      <span class="row-preview" dir="auto">${row.preview ? before + plain(row.preview) : t("inbox.silent")}</span>
      <span class="row-chips">${holder(row)}<${Due} at=${row.sla_due_at} />${row.priority && row.priority !== "normal" && html`<span class="chip warn">${word("priority", row.priority)}</span>`}
        ${row.language && row.language !== "en" && html`<span class="chip">${row.language.toUpperCase()}</span>`}
        ${row.labels.slice(0, 2).map((id) => html`<${Label} key=${id} id=${id} />`)}</span>
    </span></a>`;
}

const named = (id) => labels.value.find((each) => each.id === id);
const filterName = (name, value) => ({ channel: channelName, label: (id) => named(id)?.name ?? id, team: (id) => teams.value.find((each) => each.id === id)?.name ?? id, priority: (key) => word("priority", key) })[name](value);

const Label = ({ id }) => named(id) && html`<span class="chip"><span class="swatch" style=${{ background: named(id).colour }}></span>${named(id).name}</span>`;

function Nothing() {
  const { view, q } = filters();
  if (q) return html`<${Empty} picture="search" title=${t("inbox.empty.search")} text=${t("inbox.empty.searchNext")} />`;
  const key = view && view !== "all" ? view : "all";
  return html`<${Empty} picture=${key === "all" ? "inbox" : "check"} title=${t(`inbox.empty.${key}`)} text=${t(key === "all" ? "inbox.empty.next" : "inbox.empty.other")}>
    ${key === "all" && html`<a class="button" href="/web/demo" target="_blank" rel="noopener">${t("inbox.empty.demo")}</a>`}</${Empty}>`;
}

export function List({ selected }) {
  const now = filters();
  const all = rows.value;
  const index = all ? all.findIndex((row) => row.id === selected) : -1;
  return html`<section class="list" aria-label=${t("inbox.list")}>
    <header class="list-head">
      <${ViewChoice} choose=${(view) => patch({ view })} />
      <h1>${t(`inbox.views.${now.view || "all"}`)}</h1>
      ${now.q && html`<button type="button" class="chip filter" onClick=${() => patch({ q: "" })}>“${now.q}” ${icon("close", 12)}<span class="unseen">${t("inbox.unfilter")}</span></button>`}
      ${["channel", "label", "team", "priority"].filter((name) => now[name]).map((name) => html`
        <button type="button" class="chip filter" key=${name} onClick=${() => patch({ [name]: "" })}>${filterName(name, now[name])} ${icon("close", 12)}<span class="unseen">${t("inbox.unfilter")}</span></button>`)}
      <${Choose} />${html`<select class="sort" aria-label=${t("inbox.sort.title")} value=${now.sort || "newest"} onChange=${(event) => patch({ sort: event.currentTarget.value === "newest" ? "" : event.currentTarget.value })}>
        ${SORTS.map((sort) => html`<option key=${sort} value=${sort}>${t(`inbox.sort.${sort}`)}</option>`)}</select>`}
    </header>
    ${choosing.value && html`<${Bulk} />`}
    ${trouble.value && html`<p class="note bad" role="alert">${trouble.value.message} <${Button} look="text" run=${readList}>${t("retry")}</${Button}></p>`}
    ${all === null ? html`<${Waiting} />` : all.length === 0 ? html`<${Nothing} />` : html`
      <${Virtual} class="virtual rows" rows=${all} height=${ROW_PX} selected=${index} label=${t("inbox.list")} onEnd=${readMore}
        draw=${(row) => html`<${Row} row=${row} current=${row.id === selected} />`} />`}
  </section>`;
}
