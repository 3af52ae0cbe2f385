// What was erased: proof without anything of the customer's.
import { api } from "../../frame/api.js";
import { moment, number, t, word } from "../../frame/i18n.js";
import { listen } from "../../frame/live.js";
import { Empty, Waiting, useRead } from "../../frame/parts.js";
import { classes, html, useEffect } from "../../frame/ui.js";

const TONES = { done: "good", failed: "bad", running: "warn", queued: "" };

/** What one erasure removed, and what a person still has to look at. */
export function Report({ row }) {
  const figures = Object.entries(row.report).filter(([, value]) => typeof value === "number");
  const { adapters = [], look_at: files = [] } = row.report;
  return html`<div class="report"><p role="status"><span class=${classes("chip", TONES[row.state])}>${t(`contacts.erasures.states.${row.state}`)}</span> ${row.state === "running" || row.state === "queued" ? word("erasureStep", row.step) : ""}</p>
    ${row.error && html`<p class="note bad" role="alert">${row.error}</p>`}
    ${figures.length > 0 && html`<dl class="facts">${figures.map(([name, value]) => html`<div class="fact" key=${name}><dt>${word("erased", name)}</dt><dd>${number(value)}</dd></div>`)}</dl>`}
    ${adapters.length > 0 && html`<p class="note warn">${t("contacts.erasures.adapters", { names: adapters.join(", ") })}</p>`}
    ${files.length > 0 && html`<p class="note warn">${t("contacts.erasures.lookAt", { names: files.join(", ") })}</p>`}
    <p class="soft">${t("contacts.erasures.proof")} <code>${row.id}</code></p></div>`;
}

export function Erasures() {
  const [found, error, read] = useRead(() => api("GET", "/api/erasures?limit=100"));
  useEffect(() => listen((frame) => frame.event === "customer" && read()), []);
  if (error) return html`<p class="note bad" role="alert">${error.message}</p>`;
  if (!found) return html`<${Waiting} />`;
  if (!found.erasures.length) return html`<${Empty} picture="contacts" title=${t("contacts.erasures.none")} text=${t("contacts.erasures.noneNext")} />`;
  return html`<div class="person"><header class="person-head"><h2>${t("contacts.erasures.title")}</h2></header>
    ${found.erasures.map((row) => html`<details class="card" key=${row.id}><summary><b>${moment(row.created_at)}</b> <span class=${classes("chip", TONES[row.state])}>${t(`contacts.erasures.states.${row.state}`)}</span> <span class="soft">${t(`contacts.erasures.causes.${row.cause}`)}</span></summary><${Report} row=${row} /></details>`)}</div>`;
}
