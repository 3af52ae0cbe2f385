// Where documents come from: how each source is, reading it again, its schedule, and new ones.
import { api } from "../../frame/api.js";
import { ago, moment, number, t, word } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { later } from "../../frame/later.js";
import { Dialog, failed, toast } from "../../frame/overlay.js";
import { Button, Empty, Menu, Waiting, When, useRead } from "../../frame/parts.js";
import { href } from "../../frame/router.js";
import { may } from "../../frame/session.js";
import { classes, html, useEffect, useState } from "../../frame/ui.js";
import { AddSource, sendFiles } from "./add.js";
import { BUSY, KIND_ICONS, State } from "./parts.js";

const IDLE_MS = 15_000;
const BUSY_MS = 1_500;
const CRONS = { hand: "", hourly: "0 * * * *", daily: "0 3 * * *", weekly: "0 3 * * 1" };

const cronName = (cron) => Object.keys(CRONS).find((name) => CRONS[name] === (cron || "")) || "other";
const cronWords = (cron) => (cronName(cron) === "other" ? t("knowledge.cron.at", { cron }) : t(`knowledge.cron.${cronName(cron)}`));

function Schedule({ source, close, changed }) {
  const [choice, setChoice] = useState(cronName(source.cron));
  const [own, setOwn] = useState(source.cron || "");
  const [trouble, setTrouble] = useState("");
  const save = async (event) => {
    event.preventDefault();
    try {
      await api("PATCH", `/api/knowledge/sources/${source.id}`, { cron: choice === "other" ? own.trim() : CRONS[choice] });
      close();
      await changed();
    } catch (error) {
      if (error.status === undefined) throw error;
      setTrouble(error.message);
    }
  };
  return html`<${Dialog} title=${t("knowledge.scheduleOf", { name: source.name })} close=${close}><form class="stack" onSubmit=${save}>
    <label>${t("knowledge.schedule")}<select value=${choice} onChange=${(event) => setChoice(event.currentTarget.value)}>${[...Object.keys(CRONS), "other"].map((name) => html`<option key=${name} value=${name}>${t(`knowledge.cron.${name}`)}</option>`)}</select></label>
    ${choice === "other" && html`<label>${t("knowledge.cron.text")}<input value=${own} placeholder="0 3 * * *" onInput=${(event) => setOwn(event.currentTarget.value)} /><small>${t("knowledge.cron.how")}</small></label>`}
    ${trouble && html`<p class="note bad" role="alert">${trouble}</p>`}
    <span class="acts end"><button type="button" onClick=${close}>${t("cancel")}</button><button type="submit" class="main">${t("knowledge.save")}</button></span></form></${Dialog}>`;
}

function Details({ source, close }) {
  const rows = Object.entries(source.config);
  const [files] = useRead(() => (["files", "qa", "catalogue"].includes(source.kind) ? api("GET", `/api/knowledge/sources/${source.id}/files`) : Promise.resolve({ files: [] })));
  return html`<${Dialog} title=${source.name} close=${close} wide>
    <dl class="facts settings-facts"><div class="fact"><dt>${t("knowledge.kind")}</dt><dd>${word("knowledge.kinds", source.kind)}</dd></div>
      <div class="fact"><dt>${t("knowledge.audience")}</dt><dd>${word("knowledge.audiences", source.audience)}</dd></div>
      ${rows.map(([name, value]) => html`<div class="fact" key=${name}><dt>${name}</dt><dd>${typeof value === "string" ? value || "–" : html`<code>${JSON.stringify(value)}</code>`}</dd></div>`)}</dl>
    ${files?.files.length > 0 && html`<h3>${t("knowledge.files")}</h3><ul class="plain-list">${files.files.map((name) => html`<li key=${name}>${icon("file", 14)} ${name}</li>`)}</ul>`}
    <p class="soft">${t("knowledge.readOnly")}</p></${Dialog}>`;
}

function progress(source) {
  const counts = Object.entries(source.progress).filter(([, value]) => typeof value === "number" && value > 0);
  return counts.map(([name, value]) => `${number(value)} ${word("knowledge.counts", name)}`).join(", ");
}

function Row({ source, read, forget, open }) {
  const [over, setOver] = useState(false);
  const sync = async (again) => {
    await api("POST", `/api/knowledge/sources/${source.id}/sync`, { again });
    await read();
  };
  const drop = async (event) => {
    event.preventDefault();
    setOver(false);
    const results = await sendFiles(source.id, [...event.dataTransfer.files]);
    const bad = results.filter((each) => each.error);
    toast(bad.length ? `${bad[0].name}: ${bad[0].error}` : t("knowledge.uploaded", { n: results.length }), { tone: bad.length ? "bad" : "" });
    await read();
  };
  const takes = may("admin") && source.kind === "files" && !source.config.path;
  const drag = takes ? { onDragOver: (event) => (event.preventDefault(), setOver(true)), onDragLeave: () => setOver(false), onDrop: (event) => drop(event).catch(failed) } : {};
  const rows = [
    source.kind !== "article" && { label: t("knowledge.sync"), picture: "clock", run: () => sync(false) },
    source.kind !== "article" && { label: t("knowledge.syncAll"), picture: "back", run: () => sync(true) },
    source.kind !== "article" && { label: t("knowledge.schedule"), picture: "clock", run: async () => open("schedule", source) },
    { label: t("knowledge.details"), picture: "why", run: async () => open("details", source) },
    { label: t("knowledge.remove"), picture: "close", danger: true, run: async () => forget(source) },
  ];
  return html`<li class=${classes("source", over && "over")} ...${drag}>
    <span class="kind" title=${word("knowledge.kinds", source.kind)}>${icon(KIND_ICONS[source.kind] || "file", 20)}</span>
    <div class="what"><b><a href=${href("/knowledge/documents", { source: source.id })}>${source.name}</a></b>
      <span>${word("knowledge.kinds", source.kind)} · ${t("knowledge.documentsOf", { n: source.documents })}${source.audience === "staff" ? ` · ${t("knowledge.audiences.staff")}` : ""} · ${cronWords(source.cron)}${source.next_at ? html` · <span class="next" title=${moment(source.next_at)}>${t("knowledge.nextAt", { when: ago(source.next_at) })}</span>` : ""}</span>
      ${BUSY.has(source.state) && progress(source) && html`<span role="status">${progress(source)}</span>`}
      ${source.state === "failed" && html`<span class="bad-text">${icon("alert", 14)} ${source.reason || t("knowledge.noReason")}</span>`}</div>
    ${source.failed > 0 && html`<a class="chip bad" href=${href("/knowledge/documents", { source: source.id, state: "failed" })}>${t("knowledge.failedOf", { n: source.failed })}</a>`}
    <${State} state=${source.state} /><span class="soft synced">${source.synced_at ? html`<${When} at=${source.synced_at} />` : source.kind === "article" ? "" : t("knowledge.never")}</span>
    ${may("admin") && source.state === "failed" && html`<${Button} look="small" run=${() => sync(false)}>${t("retry")}</${Button}>`}
    ${may("admin") && html`<${Menu} name=${t("knowledge.actionsOf", { name: source.name })} rows=${rows} />`}</li>`;
}

export function Sources() {
  const [found, error, read] = useRead(() => api("GET", "/api/knowledge/sources"));
  const [gone, setGone] = useState(new Set());
  const [over, setOver] = useState(null); // {what, source}
  const [adding, setAdding] = useState(null); // kind to begin with, and files that were dropped
  const busy = found?.sources.some((source) => BUSY.has(source.state));
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === "visible" && read(), busy ? BUSY_MS : IDLE_MS);
    return () => clearInterval(timer);
  }, [busy]);
  const forget = (source) => {
    setGone((now) => new Set([...now, source.id]));
    const back = () => setGone((now) => new Set([...now].filter((id) => id !== source.id)));
    later(t("knowledge.removed", { name: source.name }), () => api("DELETE", `/api/knowledge/sources/${source.id}`).then(read), back);
  };
  const dropped = (event) => {
    if (!may("admin") || event.defaultPrevented) return;
    event.preventDefault();
    setAdding({ kind: "files", files: [...event.dataTransfer.files] });
  };
  const shown = (found?.sources || []).filter((source) => !gone.has(source.id));
  const add = may("staff") && html`<button type="button" class="main" onClick=${() => setAdding({ kind: may("admin") ? "files" : "pair" })}>${t("knowledge.add")}</button>`;
  return html`<section class="card drop-zone" aria-labelledby="sources-title" onDragOver=${(event) => may("admin") && event.preventDefault()} onDrop=${dropped}>
    <header class="head"><h2 id="sources-title">${t("knowledge.tabs.sources")}</h2>${add}</header>
    ${error && html`<p class="note bad" role="alert">${error.message} <${Button} look="text" run=${read}>${t("retry")}</${Button}></p>`}
    ${!found && !error && html`<${Waiting} rows=${4} />`}
    ${found && shown.length === 0 && html`<${Empty} picture="knowledge" title=${t("knowledge.noSources")} text=${t(may("staff") ? "knowledge.noSourcesNext" : "knowledge.noSourcesViewer")} />`}
    <ul class="sources">${shown.map((source) => html`<${Row} key=${source.id} source=${source} read=${read} forget=${forget} open=${(what, one) => setOver({ what, source: one })} />`)}</ul>
    ${may("admin") && shown.length > 0 && html`<p class="soft">${t("knowledge.dropHint")}</p>`}
    ${over?.what === "schedule" && html`<${Schedule} source=${over.source} close=${() => setOver(null)} changed=${read} />`}
    ${over?.what === "details" && html`<${Details} source=${over.source} close=${() => setOver(null)} />`}
    ${adding && html`<${AddSource} begin=${adding} sources=${found?.sources || []} close=${() => setAdding(null)} added=${read} />`}
  </section>`;
}
