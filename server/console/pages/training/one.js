// One retrain: where it is, how long it still takes, how the loss falls, and how to stop it.
import { api } from "../../frame/api.js";
import { moment, number, t, word } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { Dialog, toast } from "../../frame/overlay.js";
import { Button, Waiting, When, useRead } from "../../frame/parts.js";
import { href } from "../../frame/router.js";
import { may } from "../../frame/session.js";
import { classes, html, useEffect, useState } from "../../frame/ui.js";
import { Advice } from "./advice.js";
import { State, Trouble, figure, lasting, nameOf, place, short, useNews } from "./common.js";
import { Curve } from "./curve.js";

const OPEN = ["queued", "running"];
const LOOK_MS = 4_000; // while it works: the curve is never older

function Stages({ whole }) {
  const { retrain, stages } = whole;
  const at = stages.indexOf(retrain.stage);
  const of = (index) => (retrain.state === "done" || index < at ? "done" : index > at ? "todo" : OPEN.includes(retrain.state) ? "now" : "ended");
  return html`<ol class="stages">${stages.map((stage, index) => html`<li key=${stage} class=${of(index)} aria-current=${of(index) === "now" ? "step" : undefined}>
    <span class="stage-mark">${icon({ done: "check", now: "clock", todo: "more", ended: "alert" }[of(index)], 14)}</span><span>${t(`run.stages.${stage}`)}<span class="unseen"> ${t(`run.stage_${of(index)}`)}</span></span></li>`)}</ol>`;
}

function Now({ retrain }) {
  const { progress } = retrain;
  if (!OPEN.includes(retrain.state)) return null;
  if (retrain.stage === "train" && progress.steps) {
    return html`<div class="now" role="status"><progress max=${progress.steps} value=${progress.step} aria-label=${t("run.stages.train")}></progress>
      <p><b>${t("run.stepOf", { step: number(progress.step), steps: number(progress.steps) })}</b> · ${progress.left_s === null || progress.left_s === undefined ? t("run.learning") : t("run.left", { time: lasting(progress.left_s) })} · ${t("run.tokens", { n: Math.round(progress.tokens_per_s || 0) })}</p></div>`;
  }
  if (progress.subject) return html`<p class="now" role="status">${t("run.asking", { who: t(`compare.subject.${progress.subject}`), n: progress.done })}</p>`;
  return html`<p class="now" role="status">${t(retrain.state === "queued" ? "run.waits" : "run.works")}</p>`;
}

function Stop({ retrain, read }) {
  const [sure, setSure] = useState(false);
  const close = () => setSure(false);
  if (!OPEN.includes(retrain.state) || !may("admin")) return null;
  if (retrain.stop_by) return html`<span class="chip warn">${t("run.stopping")}</span>`;
  const stop = async () => {
    await api("POST", `/api/retrains/${retrain.id}/stop`, {});
    close();
    toast(t("run.stopAsked"));
    await read();
  };
  return html`<button type="button" onClick=${() => setSure(true)}>${t("run.stop")}</button>
    ${sure && html`<${Dialog} title=${t("run.stopSure")} close=${close}><p>${t("run.stopMeans")}</p><div class="acts end"><button type="button" onClick=${close}>${t("run.goOn")}</button><${Button} look="danger" run=${stop}>${t("run.stop")}</${Button}></div></${Dialog}>`}`;
}

const Fact = ({ name, children }) => html`<div class="fact"><dt>${name}</dt><dd>${children}</dd></div>`;

function Facts({ whole }) {
  const { retrain, recipe } = whole;
  return html`<dl class="facts"><${Fact} name=${t("run.by")}>${nameOf(retrain.started_by)}</${Fact}><${Fact} name=${t("run.begun")}><${When} at=${retrain.created_at} /></${Fact}>
    ${retrain.ended_at && html`<${Fact} name=${t("run.ended")}>${moment(retrain.ended_at)}</${Fact}>`}
    ${retrain.started_at && retrain.ended_at && html`<${Fact} name=${t("run.took")}>${lasting(retrain.ended_at - retrain.started_at)}</${Fact}>`}
    ${retrain.dataset_id && may("staff") && html`<${Fact} name=${t("data.datasets")}><a href=${href(place("data", retrain.dataset_id))}>${short(retrain.dataset_id)}</a></${Fact}>`}
    ${retrain.adapter && html`<${Fact} name=${t("run.adapter")}><code>${retrain.adapter}</code></${Fact}>`}
    ${retrain.candidate && html`<${Fact} name=${t("run.candidate")}><a href=${href(place("promote", retrain.candidate))}><code>${short(retrain.candidate)}</code></a></${Fact}>`}
    ${Object.entries(recipe.train || {}).map(([name, value]) => html`<${Fact} key=${name} name=${word("run", name)}>${typeof value === "number" ? figure(value) : String(value)}</${Fact}>`)}</dl>`;
}

export function OneRun({ id }) {
  const [found, error, read] = useRead(() => api("GET", `/api/retrains/${encodeURIComponent(id)}`), [id]);
  const working = found && OPEN.includes(found.retrain.state);
  useNews(["retrain"], read);
  useEffect(() => {
    if (!working) return undefined;
    const timer = setInterval(() => document.visibilityState === "visible" && read(), LOOK_MS);
    return () => clearInterval(timer);
  }, [working]);
  const retrain = found?.retrain;
  return html`<div class="page"><p><a href=${href(place("run"))}>${t("run.back")}</a></p><${Trouble} error=${error} again=${read} />${!found && !error && html`<${Waiting} />`}
    ${found && html`<header class="head"><h1>${retrain.note || word("run.cause", retrain.cause)}</h1><span class="acts">${retrain.verdict && html`<${State} group="verdict" code=${retrain.verdict} />`}<${State} group="state" code=${retrain.state} /><${Stop} retrain=${retrain} read=${read} /></span></header>
      ${retrain.error && html`<p class=${classes("note", retrain.state === "failed" ? "bad" : "warn")}>${retrain.error}</p>`}
      <section class="card" aria-labelledby="stages-title"><h2 id="stages-title" class="unseen">${t("run.progress")}</h2><${Stages} whole=${found} /><${Now} retrain=${retrain} />
        ${retrain.verdict && html`<div class="acts"><a class="button" href=${href(place("compare", id))}>${t("run.toCompare")}</a>${retrain.candidate && html`<a class="button" href=${href(place("promote", retrain.candidate))}>${t("run.toPromote")}</a>`}</div>`}</section>
      <section class="card" aria-labelledby="curve-title"><h2 id="curve-title">${t("run.curve")}</h2><${Curve} points=${found.curve} /></section>
      <div class="cards"><section class="card" aria-labelledby="about-title"><h2 id="about-title">${t("run.about")}</h2><${Facts} whole=${found} /></section>
        ${found.advice.findings && html`<section class="card" aria-labelledby="advice-title"><h2 id="advice-title">${t("run.worth")}</h2><${Advice} advice=${found.advice} /></section>`}</div>`}</div>`;
}
