// Run: whether it is worth it, what stands in the way, a form that starts one, and the runs there were.
import { api } from "../../frame/api.js";
import { number, t, word } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { toast } from "../../frame/overlay.js";
import { Button, Empty, Waiting, When, useRead } from "../../frame/parts.js";
import { go, href } from "../../frame/router.js";
import { may } from "../../frame/session.js";
import { classes, html, useState } from "../../frame/ui.js";
import { Advice } from "./advice.js";
import { State, Trouble, lasting, place, useNews } from "./common.js";
import { OneRun } from "./one.js";
import { More, usePages } from "./pages.js";

const METHODS = ["sft", "sft+dpo", "dpo"];

function Worth() {
  const [advice, setAdvice] = useState(null);
  if (!may("staff")) return null;
  const ask = async () => setAdvice(await api("GET", "/api/retrains/advice"));
  return html`<section class="card" aria-labelledby="worth-title"><h2 id="worth-title">${t("run.worth")}</h2><p class="soft">${t("run.worthMeans")}</p>
    <div aria-live="polite">${advice && html`<${Advice} advice=${advice} />`}</div><div class="acts"><${Button} run=${ask}>${t(advice ? "run.askAgain" : "run.ask")}</${Button}></div></section>`;
}

const Check = ({ check }) => html`<li><span class=${classes("mark", check.ok ? "good" : check.stops ? "bad" : "warn")}>${icon(check.ok ? "check" : "alert", 14)}<span class="unseen">${t(check.ok ? "run.met" : check.stops ? "run.stops" : "run.warns")}</span></span>
  <span class="what"><b>${word("run.check", check.name)}</b>${check.detail && html`<span>${check.name === "free" ? html`<a href=${href(place("run", check.detail))}>${t("run.underWay")}</a>` : check.detail}</span>`}</span></li>`;

function Estimate({ plan }) {
  const found = plan.estimate;
  if (!found) return html`<p class="soft">${t("run.noEstimate")}</p>`;
  return html`<p>${t("run.estimate", { time: lasting(found.seconds), n: found.rows })} <span class="soft">${t("run.estimateBy", { time: lasting(found.run_seconds), n: found.run_rows })} <a href=${href(place("run", found.run))}>${t("run.thatRun")}</a></span></p>`;
}

/** What of the form differs from the built-in recipe. */
function recipeOf(data) {
  const train = { method: data.get("method"), rank: Number(data.get("rank")), epochs: Number(data.get("epochs")), lr: Number(data.get("lr")) };
  const usual = { method: "sft", rank: 16, epochs: 2, lr: 0 };
  const own = Object.fromEntries(Object.entries(train).filter(([name, value]) => value !== usual[name]));
  return Object.keys(own).length ? { train: own } : {};
}

function Start({ done }) {
  const [plan, error, read] = useRead(() => api("GET", "/api/retrains/plan"));
  const [wrong, setWrong] = useState("");
  useNews(["example", "retrain"], read);
  const barred = plan?.checks.some((check) => !check.ok && check.stops);
  const few = plan && plan.approved < plan.minimum;
  const start = async (event) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    setWrong("");
    try {
      const made = await api("POST", "/api/retrains", { note: data.get("note"), force: data.get("force") === "on", recipe: recipeOf(data) });
      toast(t("run.started"));
      done();
      go(place("run", made.id));
    } catch (problem) {
      if (problem.status === undefined) throw problem;
      setWrong(problem.message);
    }
  };
  return html`<section class="card" aria-labelledby="start-title"><h2 id="start-title">${t("run.start")}</h2><${Trouble} error=${error} again=${read} />${!plan && !error && html`<${Waiting} rows=${4} />`}
    ${plan && html`<ul class="lines checks">${plan.checks.map((check) => html`<${Check} key=${check.name} check=${check} />`)}</ul><${Estimate} plan=${plan} />`}
    ${may("admin") ? html`<form class="start-form" onSubmit=${start}>
      <label>${t("run.note")}<input name="note" maxlength="500" autocomplete="off" placeholder=${t("run.noteExample")} /></label>
      <details class="part"><summary>${t("run.recipe")}${icon("chevron", 16)}</summary><div class="fields">
        <label>${t("run.method")}<select name="method">${METHODS.map((method) => html`<option key=${method} value=${method}>${t(`run.methods.${method.replace("+", "_")}`)}</option>`)}</select></label>
        <label>${t("run.rank")}<input name="rank" type="number" min="1" max="64" value="16" required /></label>
        <label>${t("run.epochs")}<input name="epochs" type="number" min="1" max="20" value="2" required /></label>
        <label>${t("run.lr")}<input name="lr" type="number" min="0" max="0.01" step="any" value="0" required /><small>${t("run.lrMeans")}</small></label></div></details>
      ${few && html`<label class="tick-line"><input type="checkbox" name="force" />${t("run.force", { minimum: number(plan.minimum) })}</label>`}
      ${wrong && html`<p class="note bad" role="alert">${wrong}</p>`}<div class="acts"><button class="main" type="submit" disabled=${!plan || barred}>${t("run.go")}</button></div></form>`
      : html`<p class="note">${t("run.adminsStart")}</p>`}</section>`;
}

function Runs({ list }) {
  const { rows, error, more, read } = list;
  return html`<section class="card" aria-labelledby="runs-title"><h2 id="runs-title">${t("run.runs")}</h2><${Trouble} error=${error} again=${read} />${!rows && !error && html`<${Waiting} rows=${3} />`}
    ${rows && !rows.length && html`<${Empty} picture="training" title=${t("run.none")} text=${t("run.noneNext")} />`}
    <ul class="lines">${(rows || []).map((run) => html`<li key=${run.id}><div class="what"><a href=${href(place("run", run.id))}><b>${run.note || word("run.cause", run.cause)}</b></a><span><${When} at=${run.created_at} />${run.ended_at && run.started_at ? ` · ${lasting(run.ended_at - run.started_at)}` : ""}</span></div>
      <span class="acts">${run.verdict && html`<${State} group="verdict" code=${run.verdict} />`}<${State} group="state" code=${run.state} /></span></li>`)}</ul><${More} more=${more} /></section>`;
}

export function Run({ id }) {
  const list = usePages("/api/retrains", "retrains", { limit: 10 });
  useNews(["retrain"], () => id || list.read());
  if (id) return html`<${OneRun} key=${id} id=${id} />`;
  return html`<div class="page"><h1>${t("training.step.run")}</h1><div class="cards"><div class="column"><${Worth} /><${Start} done=${list.read} /></div><${Runs} list=${list} /></div></div>`;
}
