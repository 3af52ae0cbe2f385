// Two answers to one prompt, nameless: which is better? Whose they are is told after the vote, and only then.
import { api } from "../../frame/api.js";
import { number, percent, t, word } from "../../frame/i18n.js";
import { useKeys } from "../../frame/keys.js";
import { announce, failed } from "../../frame/overlay.js";
import { Button, Empty, Keys, Waiting, useRead } from "../../frame/parts.js";
import { classes, html, useState } from "../../frame/ui.js";
import { Trouble } from "./common.js";

const CHOICES = ["first", "second", "tie"];

function Tally({ tally }) {
  const votes = tally.candidate + tally.live + tally.tie;
  if (!votes) return html`<p class="soft">${t("blind.noVotes")}</p>`;
  const part = (name) => ({ name, n: tally[name], width: (tally[name] / votes) * 100 });
  let at = 0;
  return html`<div class="tally"><svg class="tally-bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">${["candidate", "tie", "live"].map(part).map(({ name, width }) => {
      const x = at;
      at += width;
      return html`<rect key=${name} class=${name} x=${x} y="0" width=${width} height="6" />`;
    })}</svg>
    <dl class="facts inline">${["candidate", "tie", "live"].map((name) => html`<div class="fact" key=${name}><dt>${t(`blind.for.${name}`)}</dt><dd><b>${number(tally[name])}</b></dd></div>`)}</dl>
    <p>${tally.share === null ? t("blind.onlyTies") : t("blind.share", { share: percent(tally.share), low: percent(tally.low), high: percent(tally.high) })} <span class="soft">${t("blind.by", { n: tally.people })} ${t("blind.over", { n: tally.rows })}</span></p></div>`;
}

const Side = ({ name, text, told }) => html`<section class=${classes("side", told && "told")} aria-labelledby=${`${name}-title`}><h3 id=${`${name}-title`}>${t(`blind.${name}`)}${told && html` <span class=${classes("chip", told === "candidate" ? "warn" : "good")}>${t(`compare.subject.${told}`)}</span>`}</h3><p class="words" dir="auto">${text || t("blind.empty")}</p></section>`;

export function Blind({ id }) {
  const [now, error, read] = useRead(() => api("GET", `/api/retrains/${id}/ballot`), [id]);
  const [tally, , count] = useRead(() => api("GET", `/api/retrains/${id}/votes`), [id]);
  const [told, setTold] = useState(null);
  const ballot = now?.ballot;
  const vote = async (choice) => {
    if (!ballot || told) return;
    const answer = await api("POST", `/api/votes/${ballot.id}`, { choice });
    const [first, second] = answer.candidate_first ? ["candidate", "live"] : ["live", "candidate"];
    setTold({ first, second });
    announce(`${t("blind.first")}: ${t(`compare.subject.${first}`)}. ${t("blind.second")}: ${t(`compare.subject.${second}`)}.`);
    await count();
  };
  const onward = async () => {
    await read();
    setTold(null);
  };
  const key = (keys, label, run) => ({ keys, label: `blind.keys.${label}`, group: "compare.show.blind", run: () => void Promise.resolve(run()).catch(failed) });
  useKeys([...CHOICES.map((choice, index) => key(String(index + 1), choice, () => vote(choice))), key("n", "next", () => told && onward())]);
  return html`<${Trouble} error=${error} again=${read} />${!now && !error && html`<${Waiting} rows=${4} />`}
    ${now && !ballot && html`<${Empty} picture="check" title=${t(now.pairs ? "blind.done" : "blind.none")} text=${t(now.pairs ? "blind.doneNext" : "blind.noneNext")} />`}
    ${ballot && html`<section class="card blind" aria-labelledby="blind-title"><header class="head"><h2 id="blind-title">${t("blind.title")}</h2><span class="soft">${t("blind.place", { n: now.voted + 1, of: number(now.pairs) })}</span></header>
      <p class="asked words" dir="auto">${ballot.question}</p>${ballot.wanted && html`<details class="part"><summary>${t("blind.wanted")}</summary><p class="words" dir="auto">${ballot.wanted}</p></details>`}
      <div class="sides two"><${Side} name="first" text=${ballot.first} told=${told?.first} /><${Side} name="second" text=${ballot.second} told=${told?.second} /></div>
      <div class="acts" role="group" aria-label=${t("blind.title")}>${told ? html`<${Button} look="main" run=${onward}>${t("blind.next")} <${Keys} keys="n" /></${Button}>` : CHOICES.map((choice, index) => html`<${Button} key=${choice} run=${() => vote(choice)}>${t(`blind.choose.${choice}`)} <${Keys} keys=${String(index + 1)} /></${Button}>`)}
        <span class="chip">${word("training.behaviour", ballot.behaviour)}</span></div></section>`}
    ${tally && html`<section class="card" aria-labelledby="tally-title"><h2 id="tally-title">${t("blind.tally")}</h2><${Tally} tally=${tally} /></section>`}`;
}
