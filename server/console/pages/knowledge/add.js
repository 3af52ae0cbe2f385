// Something new to answer from: files, a website, an article, or a question with its answer.
import { api, queryOf, request } from "../../frame/api.js";
import { number, t } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { Dialog } from "../../frame/overlay.js";
import { may } from "../../frame/session.js";
import { classes, html, useState } from "../../frame/ui.js";
import { Live } from "./parts.js";

const KINDS = { files: "admin", site: "admin", pair: "staff", article: "staff" };
const ACCEPT = ".pdf,.docx,.html,.htm,.md,.markdown,.txt,.csv,.tsv";

/** Uploads files into a source one by one; answers {name, error} for each. */
export async function sendFiles(source, files, told = () => {}) {
  const results = [];
  for (const file of files) {
    const answer = await request("POST", `/api/knowledge/sources/${source}/files${queryOf({ name: file.name })}`, { raw: file, headers: { "Content-Type": "application/octet-stream" } });
    const problem = answer.ok ? null : await answer.json().catch(() => ({}));
    results.push({ name: file.name, error: problem && (problem.detail || problem.title || t("knowledge.refused")) });
    told([...results]);
  }
  return results;
}

const Field = ({ label, hint, area, ...more }) => html`<label>${label}${area ? html`<textarea rows="7" ...${more}></textarea>` : html`<input ...${more} />`}${hint && html`<small>${hint}</small>`}</label>`;

function FileChoice({ files, setFiles, results }) {
  const [over, setOver] = useState(false);
  const take = (list) => setFiles([...files, ...list]);
  const drop = (event) => (event.preventDefault(), setOver(false), take(event.dataTransfer.files));
  const fate = (file) => results.find((each) => each.name === file.name);
  return html`<div class=${classes("dropping", over && "over")} onDragOver=${(event) => (event.preventDefault(), setOver(true))} onDragLeave=${() => setOver(false)} onDrop=${drop}>
    <label class="pick">${icon("file", 24)}<b>${t("knowledge.drop")}</b><span class="soft">${t("knowledge.dropKinds")}</span>
      <input type="file" multiple accept=${ACCEPT} class="unseen" onChange=${(event) => take(event.currentTarget.files)} /></label>
    <ul class="plain-list">${files.map((file, index) => html`<li key=${`${file.name} ${index}`} class=${fate(file)?.error ? "bad-text" : ""}>${icon(fate(file) ? (fate(file).error ? "alert" : "check") : "file", 14)} ${file.name} <span class="soft">${t("knowledge.kilobytes", { size: number(Math.ceil(file.size / 1000)) })}</span>${fate(file)?.error && html` ${fate(file).error}`}</li>`)}</ul></div>`;
}

/** Makes what was filled in; answers the document that came of it, or null for a source that is read from now on. */
async function make(kind, form, files, setResults) {
  if (kind === "pair") return api("POST", "/api/knowledge/pairs", { question: form.question, answer: form.answer, url: form.url || "" });
  if (kind === "article") return api("POST", "/api/knowledge/documents", { title: form.title, text: form.text, url: form.url || "" });
  const body = { name: form.name, kind, audience: form.audience || "customer", cron: form.cron || "", config: kind === "site" ? { url: form.url } : {} };
  const made = await api("POST", "/api/knowledge/sources", body);
  if (kind === "files") {
    const results = await sendFiles(made.id, files, setResults);
    if (results.some((each) => each.error)) return undefined; // stays open and says which
  }
  return null;
}

const Audience = ({ form, set }) => html`<label>${t("knowledge.audience")}<select value=${form.audience || "customer"} onChange=${set("audience")}>
  <option value="customer">${t("knowledge.audiences.customer")}</option><option value="staff">${t("knowledge.audiences.staff")}</option></select></label>`;

function Fields({ kind, form, set, files, setFiles, results }) {
  if (kind === "pair") return html`<${Field} label=${t("knowledge.question")} value=${form.question || ""} onInput=${set("question")} required maxlength="2000" />
    <${Field} label=${t("knowledge.answer")} area value=${form.answer || ""} onInput=${set("answer")} required hint=${t("knowledge.markdown")} />
    <${Field} label=${t("knowledge.readMore")} type="url" value=${form.url || ""} onInput=${set("url")} placeholder="https://" />`;
  if (kind === "article") return html`<${Field} label=${t("knowledge.titleOf")} value=${form.title || ""} onInput=${set("title")} required maxlength="300" />
    <${Field} label=${t("knowledge.text")} area value=${form.text || ""} onInput=${set("text")} required hint=${t("knowledge.markdown")} />
    <${Field} label=${t("knowledge.readMore")} type="url" value=${form.url || ""} onInput=${set("url")} placeholder="https://" />`;
  return html`<${Field} label=${t("knowledge.name")} value=${form.name || ""} onInput=${set("name")} required maxlength="100" />
    ${kind === "site" && html`<${Field} label=${t("knowledge.address")} type="url" value=${form.url || ""} onInput=${set("url")} required placeholder="https://shop.example/help/" hint=${t("knowledge.siteHint")} />
      <label>${t("knowledge.schedule")}<select value=${form.cron || ""} onChange=${set("cron")}><option value="">${t("knowledge.cron.hand")}</option><option value="0 3 * * *">${t("knowledge.cron.daily")}</option><option value="0 3 * * 1">${t("knowledge.cron.weekly")}</option></select></label>`}
    ${kind === "files" && html`<${FileChoice} files=${files} setFiles=${setFiles} results=${results} />`}<${Audience} form=${form} set=${set} />`;
}

/** The dialogue; `begin` is {kind, files}. */
export function AddSource({ begin, sources, close, added }) {
  const allowed = Object.keys(KINDS).filter((kind) => may(KINDS[kind]));
  const [kind, setKind] = useState(begin.kind);
  const [form, setForm] = useState({ name: sources.some((each) => each.name === t("knowledge.files")) ? "" : begin.files ? t("knowledge.files") : "" });
  const [files, setFiles] = useState(begin.files || []);
  const [results, setResults] = useState([]);
  const [state, setState] = useState({ busy: false, trouble: "", saved: null });
  const set = (name) => (event) => setForm({ ...form, [name]: event.currentTarget.value });
  const submit = async (event) => {
    event.preventDefault();
    setState({ busy: true, trouble: "", saved: null });
    try {
      const made = await make(kind, form, files, setResults);
      await added();
      if (made === null) return close();
      setState({ busy: false, trouble: made ? "" : t("knowledge.someRefused"), saved: made || null });
    } catch (error) {
      if (error.status === undefined) throw error;
      setState({ busy: false, trouble: error.message, saved: null });
    }
    return undefined;
  };
  const needs = kind === "files" && files.length === 0;
  return html`<${Dialog} title=${t("knowledge.add")} close=${close} wide>
    <div class="tabs small" role="group" aria-label=${t("knowledge.kind")}>${allowed.map((each) => html`<button type="button" key=${each} aria-pressed=${each === kind} onClick=${() => (setKind(each), setState({ busy: false, trouble: "", saved: null }))}>${t(`knowledge.adds.${each}`)}</button>`)}</div>
    ${state.saved ? html`<p>${t("knowledge.saved", { name: state.saved.title })}</p><${Live} document=${state.saved} /><span class="acts end"><button type="button" class="main" onClick=${close}>${t("close")}</button></span>`
      : html`<form class="stack" onSubmit=${submit}><${Fields} kind=${kind} form=${form} set=${set} files=${files} setFiles=${setFiles} results=${results} />
        ${state.trouble && html`<p class="note bad" role="alert">${state.trouble}</p>`}
        ${!may("admin") && html`<p class="soft">${t("knowledge.adminAdds")}</p>`}
        <span class="acts end"><button type="button" onClick=${close}>${t("cancel")}</button><button type="submit" class="main" disabled=${state.busy || needs}>${t(state.busy ? "loading" : "knowledge.addIt")}</button></span></form>`}
  </${Dialog}>`;
}
