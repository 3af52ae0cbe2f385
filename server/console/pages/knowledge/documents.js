// Documents of every source, by title; the filter is in the address.
import { api, queryOf } from "../../frame/api.js";
import { number, t } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { failed } from "../../frame/overlay.js";
import { Button, Empty, Waiting, When, useRead } from "../../frame/parts.js";
import { href, patch } from "../../frame/router.js";
import { html, useEffect, useState } from "../../frame/ui.js";
import { State } from "./parts.js";

const STATES = ["indexed", "queued", "fetching", "parsing", "failed"];
const PAGE = 50;
const TYPED_MS = 250;

const Row = ({ row, source }) => html`<li><div class="what"><b><a href=${href(`/knowledge/documents/${row.id}`)} dir="auto">${row.title || row.uri}</a></b>
    <span>${source || t("knowledge.noSource")}${row.audience === "staff" ? ` · ${t("knowledge.audiences.staff")}` : ""} · ${t("knowledge.versionOf", { version: number(row.version) })} · ${t("knowledge.characters", { n: row.characters })}</span>
    ${row.reason && html`<span class="bad-text">${icon("alert", 14)} ${row.reason}</span>`}</div>
  <${State} state=${row.state} /><span class="soft synced"><${When} at=${row.updated_at} /></span></li>`;

export function Documents({ query }) {
  const { source = "", state = "", title: q = "" } = query;
  const [sources] = useRead(() => api("GET", "/api/knowledge/sources"));
  const [page, setPage] = useState(null);
  const [trouble, setTrouble] = useState(null);
  const [text, setText] = useState(q);
  const read = async (cursor = "") => api("GET", `/api/knowledge/documents${queryOf({ source, state, q, cursor, limit: PAGE })}`);
  useEffect(() => {
    let wanted = true;
    setPage(null);
    read().then((found) => wanted && (setPage(found), setTrouble(null)), (error) => wanted && error.status !== undefined && setTrouble(error));
    return () => {
      wanted = false;
    };
  }, [source, state, q]);
  useEffect(() => {
    if (text.trim() === q) return undefined;
    const timer = setTimeout(() => patch({ title: text.trim() }, { replace: true }), TYPED_MS);
    return () => clearTimeout(timer);
  }, [text]);
  const more = async () => {
    const next = await read(page.next).catch(failed);
    if (next) setPage({ documents: [...page.documents, ...next.documents], next: next.next });
  };
  const names = Object.fromEntries((sources?.sources || []).map((each) => [each.id, each.name]));
  return html`<section class="card" aria-labelledby="documents-title"><header class="head wrap"><h2 id="documents-title">${t("knowledge.tabs.documents")}</h2>
      <div class="filters"><input type="search" value=${text} aria-label=${t("knowledge.filterTitle")} placeholder=${t("knowledge.filterTitle")} onInput=${(event) => setText(event.currentTarget.value)} />
        <select aria-label=${t("knowledge.source")} value=${source} onChange=${(event) => patch({ source: event.currentTarget.value })}><option value="">${t("knowledge.allSources")}</option>${Object.entries(names).map(([id, name]) => html`<option key=${id} value=${id}>${name}</option>`)}</select>
        <select aria-label=${t("knowledge.state")} value=${state} onChange=${(event) => patch({ state: event.currentTarget.value })}><option value="">${t("knowledge.allStates")}</option>${STATES.map((name) => html`<option key=${name} value=${name}>${t(`knowledge.states.${name}`)}</option>`)}</select></div></header>
    ${trouble && html`<p class="note bad" role="alert">${trouble.message}</p>`}${!page && !trouble && html`<${Waiting} rows=${6} />`}
    ${page && page.documents.length === 0 && html`<${Empty} picture="file" title=${t(source || state || q ? "knowledge.noMatch" : "knowledge.noDocuments")} text=${t(source || state || q ? "knowledge.noMatchNext" : "knowledge.noSourcesNext")} />`}
    <ul class="lines">${(page?.documents || []).map((row) => html`<${Row} key=${row.id} row=${row} source=${names[row.source_id]} />`)}</ul>
    ${page?.next && html`<${Button} run=${more}>${t("more")}</${Button}>`}</section>`;
}
