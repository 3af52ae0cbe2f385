// Knowledge: where answers come from, what the assistant would find, and what customers asked in vain.
import { api } from "../../frame/api.js";
import { number, t } from "../../frame/i18n.js";
import { Empty, useRead } from "../../frame/parts.js";
import { href } from "../../frame/router.js";
import { may } from "../../frame/session.js";
import { sheet } from "../../frame/sheet.js";
import { classes, html, useEffect } from "../../frame/ui.js";
import { DocumentPage } from "./document.js";
import { Documents } from "./documents.js";
import { Gaps } from "./gaps.js";
import { Search } from "./search.js";
import { Sources } from "./sources.js";

await sheet("knowledge.css");

const STATE_MS = 4_000;
const VIEWS = { sources: Sources, documents: Documents, search: Search, gaps: Gaps };

const Figure = ({ name, value, tone }) => html`<span class=${classes("figure", tone)}><b>${number(value)}</b> ${name}</span>`;

function Summary({ inside }) {
  const [found, error, read] = useRead(() => api("GET", "/api/knowledge"), [inside]);
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === "visible" && read(), STATE_MS);
    return () => clearInterval(timer);
  }, []);
  if (error) return html`<p class="note bad" role="alert">${error.message}</p>`;
  if (!found) return null;
  const documents = Object.values(found.documents).reduce((sum, count) => sum + count, 0);
  return html`<div class="figures-line"><${Figure} name=${t("knowledge.figures.documents", { n: documents })} value=${documents} />
    <${Figure} name=${t("knowledge.figures.passages", { n: found.chunks })} value=${found.chunks} />
    ${found.waiting > 0 && html`<${Figure} tone="warn" name=${t("knowledge.figures.waiting")} value=${found.waiting} />`}
    ${found.documents.failed > 0 && html`<a href=${href("/knowledge/documents", { state: "failed" })}><${Figure} tone="bad" name=${t("knowledge.figures.failed")} value=${found.documents.failed} /></a>`}
    ${!found.enabled && html`<span class="chip warn">${t("knowledge.off")}</span>`}
    ${found.degraded && html`<span class="chip bad">${t("knowledge.degraded", { what: found.degraded })}</span>`}
    ${Object.entries(found.alarms).map(([name, text]) => html`<p class="note bad" key=${name} role="alert">${text}</p>`)}</div>`;
}

export default function Knowledge({ inside, query }) {
  const [name, id] = inside.split("/");
  const current = name || "sources";
  const shown = Object.keys(VIEWS).filter((each) => each !== "gaps" || may("staff"));
  const View = shown.includes(current) ? VIEWS[current] : null;
  return html`<div class="page knowledge">
    <header class="page-head"><h1>${t("pages.knowledge")}</h1><${Summary} inside=${inside} /></header>
    <nav class="tabs" aria-label=${t("knowledge.parts")}>${shown.map((each) => html`<a key=${each} href=${href(`/knowledge/${each}`)} aria-current=${each === current ? "page" : undefined}>${t(`knowledge.tabs.${each}`)}</a>`)}</nav>
    ${current === "documents" && id ? html`<${DocumentPage} key=${id} id=${id} />` : View ? html`<${View} query=${query} />`
      : html`<${Empty} picture="knowledge" title=${t("knowledge.nothing")} text=${t(current === "gaps" ? "frame.notAllowedNext" : "knowledge.nothingNext")}><a class="button" href=${href("/knowledge")}>${t("knowledge.tabs.sources")}</a></${Empty}>`}
  </div>`;
}
