// One document: its passages with the borders between them, its versions, and changing what it says.
import { api } from "../../frame/api.js";
import { moment, number, t } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { toast } from "../../frame/overlay.js";
import { Button, Empty, Waiting, When, useRead } from "../../frame/parts.js";
import { go, href } from "../../frame/router.js";
import { may } from "../../frame/session.js";
import { classes, html, useState } from "../../frame/ui.js";
import { Marked } from "../inbox/bubble.js";
import { Live, State } from "./parts.js";

const Passage = ({ chunk, index }) => html`<li class="passage" id=${`passage-${chunk.number}`}><header><b>${t("knowledge.passage", { number: number(index + 1) })}</b>${chunk.heading && html`<span>${chunk.heading}</span>`}<span class="soft">${t("knowledge.characters", { n: chunk.text.length })}</span></header>
  <${Marked} text=${chunk.text} /></li>`;

function Edit({ found, saved, close }) {
  const { document } = found;
  const [title, setTitle] = useState(document.title);
  const [text, setText] = useState(found.text);
  const [trouble, setTrouble] = useState("");
  const save = async (event) => {
    event.preventDefault();
    try {
      saved(await api("PUT", `/api/knowledge/documents/${document.id}`, { title, text, version: document.version }));
    } catch (error) {
      if (error.status === undefined) throw error;
      setTrouble(error.message);
    }
  };
  return html`<form class="stack" onSubmit=${save}><label>${t("knowledge.titleOf")}<input value=${title} required maxlength="300" onInput=${(event) => setTitle(event.currentTarget.value)} /></label>
    <label>${t("knowledge.text")}<textarea rows="16" dir="auto" value=${text} required onInput=${(event) => setText(event.currentTarget.value)}></textarea><small>${t("knowledge.markdown")}</small></label>
    ${trouble && html`<p class="note bad" role="alert">${trouble}</p>`}
    <span class="acts end"><button type="button" onClick=${close}>${t("cancel")}</button><button type="submit" class="main" disabled=${title === document.title && text === found.text}>${t("knowledge.save")}</button></span></form>`;
}

function Versions({ document, changed }) {
  const [found, error] = useRead(() => api("GET", `/api/knowledge/documents/${document.id}/versions`), [document.version]);
  const [open, setOpen] = useState(null);
  const show = async (version) => setOpen(open?.version === version ? null : await api("GET", `/api/knowledge/documents/${document.id}/versions/${version}`));
  const restore = async (version) => changed(await api("POST", `/api/knowledge/documents/${document.id}/restore`, { version }));
  return html`<section class="card" aria-labelledby="versions-title"><h2 id="versions-title">${t("knowledge.versions")}</h2>
    ${error && html`<p class="note bad" role="alert">${error.message}</p>`}
    <ul class="lines">${(found?.versions || []).map((each) => html`<li key=${each.version}><div class="what"><b>${t("knowledge.versionOf", { version: number(each.version) })}</b><span><${When} at=${each.created_at} /> · ${t("knowledge.characters", { n: each.characters })}</span></div>
      ${each.version === document.version ? html`<span class="chip good">${t("knowledge.current")}</span>` : html`<span class="acts"><${Button} look="small" aria-expanded=${open?.version === each.version} run=${() => show(each.version)}>${t("knowledge.look")}</${Button}>${may("staff") && html`<${Button} look="small" run=${() => restore(each.version)}>${t("knowledge.restore")}</${Button}>`}</span>`}
      ${open?.version === each.version && html`<pre class="version-text" tabindex="0">${open.text}</pre>`}</li>`)}</ul></section>`;
}

/** The page of a document; only what was written here can be changed here, everything else comes from its source. */
export function DocumentPage({ id }) {
  const [found, error, read] = useRead(() => api("GET", `/api/knowledge/documents/${id}`), [id]);
  const [sources] = useRead(() => api("GET", "/api/knowledge/sources"));
  const [editing, setEditing] = useState(false);
  const [saved, setSaved] = useState(null);
  if (error && !found) return html`<${Empty} picture="file" title=${t("knowledge.gone")} text=${error.message}><a class="button" href=${href("/knowledge/documents")}>${t("knowledge.tabs.documents")}</a></${Empty}>`;
  if (!found) return html`<${Waiting} />`;
  const { document, chunks, text } = found;
  const source = sources?.sources.find((each) => each.id === document.source_id);
  const own = source?.kind === "article";
  const changed = async (row) => {
    setSaved(row);
    setEditing(false);
    await read();
  };
  const remove = async () => {
    await api("DELETE", `/api/knowledge/documents/${id}`);
    go("/knowledge/documents");
    const back = () => api("POST", `/api/knowledge/documents/${id}/restore`, { version: document.version }).then(() => go(`/knowledge/documents/${id}`));
    toast(t("knowledge.removed", { name: document.title }), { undo: back, ms: 10_000 });
  };
  return html`<section class="card" aria-labelledby="document-title">
    <a class="back-link" href=${href("/knowledge/documents", { source: document.source_id })}>${icon("back", 14)} ${source?.name || t("knowledge.tabs.documents")}</a>
    <header class="head wrap"><h2 id="document-title" dir="auto">${document.title || document.uri}</h2>
      <span class="acts">${saved ? html`<${Live} document=${saved} done=${read} />` : html`<${State} state=${document.state} />`}
        ${may("staff") && own && !editing && html`<button type="button" onClick=${() => setEditing(true)}>${icon("edit", 15)}${t("knowledge.edit")}</button>`}
        ${may("staff") && own && !editing && html`<${Button} run=${remove}>${t("knowledge.remove")}</${Button}>`}</span></header>
    <p class="soft">${document.indexed_at ? t("knowledge.liveSince", { when: moment(document.indexed_at) }) : t("knowledge.notYetLive")} · ${t("knowledge.passagesOf", { n: chunks.length })} · ${t("knowledge.versionOf", { version: number(document.version) })}${document.url && html` · <a href=${document.url} target="_blank" rel="noopener">${t("knowledge.public")}</a>`}</p>
    ${document.reason && html`<p class="note bad" role="alert">${document.reason}</p>`}
    ${source && !own && html`<p class="note from-source">${t("knowledge.fromSource", { name: source.name })}</p>`}
    ${editing ? html`<${Edit} found=${found} saved=${changed} close=${() => setEditing(false)} />`
      : chunks.length ? html`<ol class="chunks" role="list" aria-label=${t("knowledge.passages")}>${chunks.map((chunk, index) => html`<${Passage} key=${chunk.id} chunk=${chunk} index=${index} />`)}</ol>`
        : html`<pre class=${classes("version-text")} tabindex="0" aria-label=${t("knowledge.text")}>${text}</pre>`}
  </section>${document.version > 0 && html`<${Versions} document=${document} changed=${changed} />`}`;
}
