// Promote: what is live, on trial or waiting; one click forward with the gate's yes, one click back at any time.
import { api } from "../../frame/api.js";
import { t, word } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { Empty, Waiting, When, useRead } from "../../frame/parts.js";
import { href } from "../../frame/router.js";
import { may } from "../../frame/session.js";
import { classes, html, useEffect, useState } from "../../frame/ui.js";
import { Canary, ShareChoice } from "./canary.js";
import { State, Trouble, nameOf, place, short, useNews } from "./common.js";
import { Sure, asking } from "./moves.js";
import { More, usePages } from "./pages.js";

const LOOK_MS = 10_000; // while a trial runs: its figures change with every case
const MAY_GO = ["candidate", "retired", "withdrawn"];

/** What stands against a release, as a sentence; empty where the gate said promote. */
const against = (release) => (release.verdict === "promote" ? "" : t(release.verdict ? `promote.against.${release.verdict}` : "promote.against.none"));

const makeLive = (release) => (asking.value = { kind: "promote", path: `/api/releases/${release.id}/promote`, body: {}, needs: release.verdict !== "promote", warn: against(release), release: release.id });

function Try({ release, running }) {
  const [share, setShare] = useState(0.05);
  const ask = () => (asking.value = { kind: "canary", path: `/api/releases/${release.id}/canary`, body: { share }, needs: release.verdict !== "promote", warn: against(release), release: release.id });
  if (running) return html`<p class="soft">${t("promote.oneTrial")}</p>`;
  return html`<${ShareChoice} value=${share} choose=${setShare} label=${t("promote.share")} /><div class="acts"><button type="button" onClick=${ask}>${t("promote.do.canary")}</button><button type="button" class="main" onClick=${() => makeLive(release)}>${t("promote.do.promote")}</button></div>`;
}

function Line({ release, current }) {
  const adapters = Object.entries(release.adapters);
  return html`<li class=${classes(current && "current")}><div class="what"><a href=${href(place("promote", release.id))}><b><code>${short(release.id)}</code></b></a><span>${adapters.length ? adapters.map(([tag, name]) => (tag ? `${tag}: ${name}` : name)).join(", ") : t("promote.baseOnly", { model: release.model })} · <${When} at=${release.created_at} /></span></div>
    <span class="acts">${release.verdict && html`<${State} group="verdict" code=${release.verdict} />`}<${State} group="release" code=${release.state} /></span></li>`;
}

function Live({ page }) {
  const release = page.releases.find((each) => each.id === page.live);
  const back = () => (asking.value = { kind: "roll_back", path: "/api/releases/rollback", body: { side: "live" }, needs: true, release: page.live });
  return html`<section class="card brake on" aria-labelledby="live-title"><div class="grow"><h2 id="live-title">${t("promote.live")}</h2><p><a href=${href(place("promote", page.live))}><code>${short(page.live) || "–"}</code></a> ${release && html`<span class="soft">${Object.values(release.adapters).join(", ") || t("promote.baseOnly", { model: release.model })} · ${t("promote.since")} <${When} at=${release.changed_at} /></span>`}</p></div>
    ${may("admin") && html`<button type="button" class="danger" onClick=${back} disabled=${!page.live || page.releases.length < 2}>${icon("back", 15)}${t("promote.do.roll_back")}</button>`}</section>`;
}

const Change = ({ change }) => html`<li class=${classes("change", change.action)}><div class="what"><b>${word("promote.action", change.action)}</b><span><a href=${href(place("promote", change.release_id))}><code>${short(change.release_id)}</code></a>${change.previous_id && change.previous_id !== change.release_id ? html` ← <code>${short(change.previous_id)}</code>` : ""} · ${change.actor_kind === "person" ? nameOf(change.actor_id) : `${word("training.by", change.actor_kind)} ${change.actor_id}`} · <${When} at=${change.at} /></span>
  ${change.reason && html`<q dir="auto">${change.reason}</q>`}</div></li>`;

function Timeline({ list }) {
  const { rows, error, more, read } = list;
  return html`<section class="card" aria-labelledby="time-title"><h2 id="time-title">${t("promote.timeline")}</h2><${Trouble} error=${error} again=${read} />${!rows && !error && html`<${Waiting} rows=${3} />`}
    ${rows && !rows.length && html`<p class="soft">${t("promote.noChanges")}</p>`}<ol class="lines timeline" role="list">${(rows || []).map((change) => html`<${Change} key=${change.id} change=${change} />`)}</ol><${More} more=${more} /></section>`;
}

const Servers = ({ replicas }) => replicas.length > 0 && html`<section class="card" aria-labelledby="servers-title"><h2 id="servers-title">${t("promote.servers")}</h2><ul class="lines">${replicas.map((one) => html`<li key=${one.name}><div class="what"><b>${one.name}</b><span>${one.served.join(", ") || t("promote.noAdapters")}</span>${Object.entries(one.failed).map(([name, why]) => html`<span key=${name} class="danger-text">${name}: ${why}</span>`)}</div><${When} at=${one.seen_at} /></li>`)}</ul></section>`;

function Lineage({ release }) {
  const steps = [release.parent_id && ["promote", release.parent_id, "promote.parent"], release.dataset_id && may("staff") && ["data", release.dataset_id, "promote.dataset"], release.run_id && ["run", release.run_id, "promote.run"], release.run_id && release.verdict && ["compare", release.run_id, "promote.comparison"]].filter(Boolean);
  if (!steps.length) return html`<p class="soft">${t("promote.noLineage")}</p>`;
  return html`<ol class="lineage" role="list">${steps.map(([step, id, name]) => html`<li key=${name}><a href=${href(place(step, id))}>${t(name)} <code>${short(id)}</code></a></li>`)}</ol>`;
}

function One({ id, running, news }) {
  const [found, error, read] = useRead(() => api("GET", `/api/releases/${encodeURIComponent(id)}`), [id, news]);
  const release = found?.release;
  const reasons = found?.report?.reasons || [];
  return html`<section class="card chosen" aria-labelledby="one-title"><header class="head"><h2 id="one-title">${t("promote.one", { id: short(id) })}</h2><a class="icon-button" href=${href(place("promote"))} aria-label=${t("close")} title=${t("close")}>${icon("close")}</a></header><${Trouble} error=${error} again=${read} />${!found && !error && html`<${Waiting} rows=${3} />`}
    ${found && html`<p class="acts"><${State} group="release" code=${release.state} />${release.verdict ? html`<${State} group="verdict" code=${release.verdict} />` : html`<span class="chip">${t("promote.unjudged")}</span>`}<span class="soft">${nameOf(release.created_by)} · <${When} at=${release.created_at} /></span></p>
      <h3>${t("promote.gate")}</h3>${reasons.length ? html`<ul class="lines checks">${reasons.map((reason, index) => html`<li key=${index}><span class=${classes("mark", { broken: "bad" }[reason.state] ?? "warn")}>${icon(reason.state === "broken" ? "close" : "alert", 14)}<span class="unseen">${word("training.floor", reason.state)}</span></span><span class="what">${reason.text}</span></li>`)}</ul>` : html`<p class="soft">${against(release) || t("promote.allKept")}</p>`}
      <h3>${t("promote.lineage")}</h3><${Lineage} release=${release} />
      <details class="part"><summary>${t("promote.bundle")}${icon("chevron", 16)}</summary><pre tabindex="0">${JSON.stringify(found.body, null, 2)}</pre></details>
      ${may("admin") ? MAY_GO.includes(release.state) && html`<${Try} release=${release} running=${running} />` : html`<p class="note">${t("promote.adminsMove")}</p>`}`}</section>`;
}

export function Promote({ id }) {
  const list = usePages("/api/releases/changes", "changes", { limit: 20, release: "" });
  const [page, error, read] = useRead(() => api("GET", "/api/releases?limit=50"));
  const [trial, trialError, readTrial] = useRead(() => api("GET", "/api/releases/canary"));
  const [news, setNews] = useState(0);
  const readAll = () => Promise.all([read(), readTrial(), list.read(), setNews((now) => now + 1)]);
  const running = trial?.trials[0]?.state === "running";
  useNews(["release"], readAll);
  useEffect(() => {
    if (!running) return undefined;
    const timer = setInterval(() => document.visibilityState === "visible" && readTrial(), LOOK_MS);
    return () => clearInterval(timer);
  }, [running]);
  return html`<div class="page"><h1>${t("training.step.promote")}</h1><${Trouble} error=${error} again=${read} />${!page && !error && html`<${Waiting} />`}
    ${page && html`<${Live} page=${page} /><div class="cards"><div class="column">${id && html`<${One} key=${id} id=${id} running=${running} news=${news} />`}<${Trouble} error=${trialError} again=${readTrial} />${trial && html`<${Canary} found=${trial} read=${readTrial} />`}
      <section class="card" aria-labelledby="releases-title"><h2 id="releases-title">${t("promote.releases")}</h2>${page.releases.length ? html`<ul class="lines">${page.releases.map((release) => html`<${Line} key=${release.id} release=${release} current=${release.id === id} />`)}</ul>` : html`<${Empty} picture="training" title=${t("promote.none")} text=${t("promote.noneNext")} />`}</section>
      ${trial && html`<${Servers} replicas=${trial.replicas} />`}</div><${Timeline} list=${list} /></div>`}<${Sure} done=${readAll} /></div>`;
}
