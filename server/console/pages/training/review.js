// The review queue: one key for a yes, two for a no with its reason; the next example is there at once.
import { api } from "../../frame/api.js";
import { t, word } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { useKeys } from "../../frame/keys.js";
import { announce, failed } from "../../frame/overlay.js";
import { Button, Empty, Keys, Waiting } from "../../frame/parts.js";
import { go, href, patch, route } from "../../frame/router.js";
import { classes, html, signal, useEffect, useRef, useState } from "../../frame/ui.js";
import { Virtual } from "../../frame/virtual.js";
import { Trouble, place, share, useNews } from "./common.js";
import { Example } from "./example.js";
import { FILTERS, beside, decide, figures, forget, queue, readMore, readQueue, rewrite, trouble, undoLast, visit, whole } from "./queue.js";

const ROW_PX = 62;
const WIDE = matchMedia("(min-width: 861px)");
const REASONS = ["wrong", "private", "off_topic", "unclear", "duplicate", "tone", "untrue", "other"];
const BEHAVIOURS = ["grounded", "refusal", "handoff", "tool_call", "tool_ask", "chat", "style", "general"];
const ORIGINS = ["correction", "staff_reply", "confirmed", "tool_call", "refusal", "handoff", "import"];
const mode = signal(""); // "", "reject" (a reason is waited for), "edit"
const summary = signal(null);

const readSummary = async () => (summary.value = await api("GET", "/api/examples/summary"));

function Line({ row, current }) {
  return html`<a class="row queue-row" href=${href(place("review", row.id), route.value.query)} aria-current=${current ? "true" : undefined} data-id=${row.id}>
    <span class="row-text"><b dir="auto">${row.question}</b><span class="row-chips"><span class="chip">${word("training.behaviour", row.behaviour)}</span>
      ${row.alike > 1 && html`<span class="chip warn">${t("review.times", { n: row.alike })}</span>`}${row.approvals > 0 && html`<span class="chip good">${icon("check", 12)}${t("review.yes", { n: row.approvals })}</span>`}</span></span></a>`;
}

const Choice = ({ name, codes, group }) => html`<select aria-label=${t(`training.by_${name}`)} value=${route.value.query[name] || ""} onChange=${(event) => patch({ [name]: event.currentTarget.value })}>
  <option value="">${t(`training.any_${name}`)}</option>${codes.map((code) => html`<option key=${code} value=${code}>${word(group, code)}</option>`)}</select>`;

function Figures() {
  const now = figures.value;
  if (!now) return null;
  const { agreement, judged_twice: twice, reviewers } = summary.value || {};
  return html`<p class="queue-figures" role="status"><b>${t("review.waiting", { n: now.waiting })}</b><span>${t("review.judged", { n: now.judged })}</span>
    ${now.barred > 0 && html`<span title=${t("review.basisMeans.no")}>${t("review.barred", { n: now.barred })}</span>`}
    ${reviewers > 1 && html`<span>${t("review.agreement", { share: share(agreement), n: twice })}</span>`}</p>`;
}

function List({ selected }) {
  const rows = queue.value;
  return html`<section class="list queue" aria-label=${t("training.step.review")}>
    <header class="list-head"><h1>${t("review.title")}</h1><${Choice} name="behaviour" codes=${BEHAVIOURS} group="training.behaviour" /><${Choice} name="origin" codes=${ORIGINS} group="training.origin" /></header>
    <${Figures} /><${Trouble} error=${trouble.value} again=${readQueue} />
    ${rows === null ? !trouble.value && html`<${Waiting} />` : html`<${Virtual} class="virtual rows" rows=${rows} height=${ROW_PX} selected=${rows.findIndex((row) => row.id === selected)} label=${t("review.title")} onEnd=${readMore}
      draw=${(row) => html`<${Line} row=${row} current=${row.id === selected} />`} />`}</section>`;
}

function Editor({ row, found, done }) {
  const { target, behaviour } = found.example;
  const [text, setText] = useState(target.content || "");
  const field = useRef(null);
  useEffect(() => field.current.focus(), []);
  const before = { content: target.content || "", calls: target.tool_calls || [], behaviour };
  const keep = () => {
    done();
    return rewrite(row, { ...before, content: text }, before);
  };
  const press = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) keep().catch(failed);
    else if (event.key === "Escape") done();
    else return;
    event.preventDefault();
  };
  return html`<section class="card editor"><label>${t("review.editLabel")}<textarea ref=${field} rows="5" dir="auto" value=${text} onInput=${(event) => setText(event.currentTarget.value)} onKeyDown=${press}></textarea></label>
    <div class="acts"><${Button} look="main" run=${keep} disabled=${!text.trim() && !before.calls.length}>${t("review.keep")} <${Keys} keys="Mod+Enter" /></${Button}>
      <button type="button" onClick=${done}>${t("cancel")} <${Keys} keys="Escape" /></button></div></section>`;
}

function Why({ row, done }) {
  const first = useRef(null);
  useEffect(() => first.current.focus(), []);
  return html`<section class="card" aria-labelledby="why-title"><h2 id="why-title">${t("review.why")}</h2><div class="acts reasons">${REASONS.map((code, index) => html`
    <button key=${code} ref=${index ? undefined : first} type="button" onClick=${() => reject(row, code).catch(failed)}><${Keys} keys=${String(index + 1)} />${t(`review.reason.${code}`)}</button>`)}
    <button type="button" class="text" onClick=${done}>${t("cancel")}</button></div></section>`;
}

const reject = (row, code) => {
  mode.value = "";
  return decide(row, "reject", { reasons: [code] });
};

function Acts({ row, able }) {
  const act = (verdict, more) => () => decide(row, verdict, more);
  if (!able) return html`<p class="note warn">${t("review.barredRole")}</p>`;
  return html`<div class="review-acts" role="group" aria-label=${t("review.acts")}>
    <${Button} look="main" run=${act("approve")}>${t("review.approve")} <${Keys} keys="a" /></${Button}>
    ${row.alike > 1 && html`<${Button} run=${act("approve", { alike: true })}>${t("review.approveAll", { n: row.alike })} <${Keys} keys="Shift+a" /></${Button}>`}
    <button type="button" aria-expanded=${mode.value === "edit"} onClick=${() => (mode.value = "edit")}>${t("review.edit")} <${Keys} keys="e" /></button>
    <button type="button" aria-expanded=${mode.value === "reject"} onClick=${() => (mode.value = "reject")}>${t("review.reject")} <${Keys} keys="r" /></button>
    <${Button} run=${act("skip")}>${t("review.skip")} <${Keys} keys="s" /></${Button}></div>`;
}

function useReviewKeys(id, able) {
  const row = () => able && queue.value?.find((each) => each.id === id);
  const inert = (run) => (event) => (mode.value === "edit" ? undefined : run(event)); // words that come before the field judge nothing
  const key = (keys, label, run) => ({ keys, label: label && `review.keys.${label}`, group: "review.keys.title", run: keys === "Escape" ? run : inert(run) });
  const act = (run) => () => {
    const now = row();
    if (!now) return false;
    Promise.resolve(run(now)).catch(failed);
    return undefined;
  };
  const step = (by) => () => {
    const next = beside(id, by);
    if (next) visit(next.id);
  };
  useKeys([
    key("a", "approve", act((now) => decide(now, "approve"))),
    key("Shift+a", "approveAll", act((now) => decide(now, "approve", { alike: now.alike > 1 }))),
    key("e", "edit", act(() => (mode.value = "edit"))),
    key("r", "reject", act(() => (mode.value = "reject"))),
    ...REASONS.map((code, index) => key(String(index + 1), index ? "" : "reason", () => (mode.value === "reject" && row() ? void reject(row(), code).catch(failed) : false))),
    key("s", "skip", act((now) => decide(now, "skip"))),
    key("u", "undo", () => void undoLast().catch(failed)),
    key("j", "next", step(1)),
    key("k", "previous", step(-1)),
    key("o", "open", () => document.querySelector(".example .from a")?.click() ?? false),
    key("Escape", "", () => (mode.value ? void (mode.value = "") : false)),
  ]);
}

/** The example with this id, read once; the one behind it is read ahead. */
function useExample(id) {
  const [found, setFound] = useState({ id: "", whole: null, error: null });
  const read = () => {
    if (!id) return;
    whole(id).then((it) => setFound({ id, whole: it, error: null }), (error) => (forget(id), setFound({ id, whole: null, error })));
    const next = beside(id, 1);
    if (next) whole(next.id).catch(() => {}); // read again when it is its turn
  };
  useEffect(read, [id]);
  return found.id === id ? { ...found, read } : { whole: null, error: null, read };
}

function Desk({ id }) {
  const { whole: found, error, read } = useExample(id);
  const row = queue.value?.find((each) => each.id === id);
  const done = () => (mode.value = "");
  useEffect(() => done, [id]); // on leaving, not on arriving: who pressed E before the example was there means this one
  useEffect(() => void (found && announce(found.example.question)), [id, Boolean(found)]);
  if (error) return html`<${Trouble} error=${error} again=${read} />`;
  if (!found) return html`<${Waiting} />`;
  return html`<div class="review-scroll"><${Example} whole=${found} line=${row} /></div>
    <footer class="review-foot">${!row && html`<p class="note">${t("review.notWaiting", { state: t(`training.status.${found.example.status}`) })}</p>`}
      ${row && mode.value === "edit" && html`<${Editor} key=${id} row=${row} found=${found} done=${done} />`}${row && mode.value === "reject" && html`<${Why} row=${row} done=${done} />`}
      ${row && !mode.value && html`<${Acts} row=${row} able=${figures.value?.may_decide} />`}</footer>`;
}

const Nothing = () => html`<${Empty} picture="check" title=${t(figures.value?.judged ? "review.allDone" : "review.none")} text=${t("review.noneNext")}><a class="button" href=${href(place("data"))}>${t("review.toData")}</a></${Empty}>`;

export function Review({ id }) {
  const now = route.value.query;
  useEffect(() => {
    queue.value = null;
    readQueue();
  }, FILTERS.map((name) => now[name] || ""));
  useEffect(() => void readSummary().catch(() => {}), []); // agreement is only shown where it is known
  useNews(["example", "correction"], () => (readQueue(), readSummary().catch(() => {})));
  useEffect(() => {
    if (!id && queue.value?.length && WIDE.matches) go(place("review", queue.value[0].id), now, { replace: true });
  }, [id, queue.value?.length]);
  useReviewKeys(id, figures.value?.may_decide);
  return html`<div class=${classes("review", id && "has-open")}><${List} selected=${id} />
    <section class="review-desk" aria-label=${t("review.example")}>${id ? html`<a class="icon-button back" href=${href(place("review"), now)} aria-label=${t("inbox.back")}>${icon("back")}</a><${Desk} key=${id} id=${id} />` : queue.value && !queue.value.length && html`<${Nothing} />`}</section></div>`;
}

