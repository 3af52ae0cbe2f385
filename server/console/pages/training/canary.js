// The trial beside the live release: its share, both arms in figures, the evidence, and the ways it ends.
import { api } from "../../frame/api.js";
import { number, percent, t } from "../../frame/i18n.js";
import { toast } from "../../frame/overlay.js";
import { Button, When } from "../../frame/parts.js";
import { may } from "../../frame/session.js";
import { classes, html, useEffect, useState } from "../../frame/ui.js";
import { short } from "./common.js";
import { asking } from "./moves.js";

const METRICS = ["thumbs", "handoff", "tools", "any_bad"];
const USUAL = [0.05, 0.25, 0.5, 1];

/** A share between 1 and 100 %, by slider or by one of the usual ones. */
export function ShareChoice({ value, choose, label }) {
  return html`<div class="share"><label class="slider">${label}<input type="range" min="1" max="100" step="1" value=${Math.round(value * 100)} aria-valuetext=${percent(value)} onInput=${(event) => choose(Number(event.currentTarget.value) / 100)} /></label><output>${percent(value)}</output>
    <span class="acts" role="group" aria-label=${t("promote.usual")}>${USUAL.map((each) => html`<button key=${each} type="button" class="small" aria-pressed=${each === value} onClick=${() => choose(each)}>${percent(each)}</button>`)}</span></div>`;
}

function Arms({ figures }) {
  const row = (label, get) => html`<tr key=${label}><th scope="row">${label}</th>${["live", "canary"].map((arm) => html`<td key=${arm} class="n">${get(arm)}</td>`)}</tr>`;
  return html`<div class="table-box" tabindex="0" role="group" aria-label=${t("promote.arms")}><table><caption class="unseen">${t("promote.arms")}</caption><thead><tr><th scope="col">${t("promote.figure")}</th><th scope="col" class="n">${t(figures.against === "past" ? "promote.past" : "training.release.live")}</th><th scope="col" class="n">${t("training.release.canary")}</th></tr></thead>
    <tbody>${row(t("promote.cases"), (arm) => number(figures.cases[arm]))}${row(t("promote.settled"), (arm) => number(figures.settled[arm]))}
      ${METRICS.map((metric) => row(t(`promote.metric.${metric}`), (arm) => `${percent(figures.rates[arm][metric])} (${number(figures.bad[arm][metric])})`))}</tbody></table></div>`;
}

function Evidence({ figures }) {
  const part = Math.min(1, Math.log1p(Math.max(0, figures.evidence)) / Math.log1p(figures.needed));
  return html`<div class="evidence"><p>${t("promote.evidence", { value: number(figures.evidence), needed: number(figures.needed) })}</p>
    <meter min="0" max="1" low="0.5" high="0.8" optimum="0" value=${part} aria-label=${t("promote.evidenceOf")}></meter><p class="soft">${t("promote.automatic")}</p></div>`;
}

export function Canary({ found, read }) {
  const trial = found.trials[0]?.state === "running" ? found.trials[0] : null;
  const [share, setShare] = useState(trial?.share ?? 0.05);
  useEffect(() => setShare(trial?.share ?? 0.05), [trial?.id, trial?.share]);
  if (!trial) return html`<section class="card" aria-labelledby="canary-title"><h2 id="canary-title">${t("promote.canary")}</h2><p class="soft">${t("promote.noCanary")}</p></section>`;
  const apply = async () => {
    await api("PATCH", "/api/releases/canary", { share });
    toast(t("promote.shared", { share: percent(share) }));
    await read();
  };
  const ask = (kind, path, body = {}, needs = false) => () => (asking.value = { kind, path, body, needs, release: trial.release_id });
  return html`<section class="card" aria-labelledby="canary-title"><header class="head"><h2 id="canary-title">${t("promote.canaryOf", { id: short(trial.release_id) })}</h2><span class=${classes("chip", { roll_back: "bad", passed: "good" }[found.figures?.verdict])}>${t(`promote.canaryIs.${found.figures?.verdict ?? "continue"}`)}</span></header>
    <p class="soft">${t("promote.canaryNow", { share: percent(trial.share), n: trial.cases, cap: number(trial.cap) })} · <${When} at=${trial.started_at} /></p>
    ${found.figures && html`<${Arms} figures=${found.figures} /><${Evidence} figures=${found.figures} />`}
    ${may("admin") && html`<${ShareChoice} value=${share} choose=${setShare} label=${t("promote.share")} /><div class="acts"><${Button} run=${apply} disabled=${share === trial.share}>${t("promote.applyShare")}</${Button}>
      <button type="button" class="main" onClick=${ask("promote", `/api/releases/${trial.release_id}/promote`)}>${t("promote.do.promote")}</button>
      <button type="button" onClick=${ask("stop", "/api/releases/canary/stop")}>${t("promote.do.stop")}</button><button type="button" class="danger" onClick=${ask("canary_back", "/api/releases/rollback", { side: "canary" }, true)}>${t("promote.do.canary_back")}</button></div>`}</section>`;
}
