// Training: what people approve becomes data, data an adapter, an adapter a release. One step per tab, in their order.
import { t } from "../../frame/i18n.js";
import { Empty } from "../../frame/parts.js";
import { go, href } from "../../frame/router.js";
import { may } from "../../frame/session.js";
import { sheet } from "../../frame/sheet.js";
import { html, useEffect } from "../../frame/ui.js";
import { STEPS, place, readNames } from "./common.js";
import { Compare } from "./compare.js";
import { Data } from "./data.js";
import { Promote } from "./promote.js";
import { figures } from "./queue.js";
import { Review } from "./review.js";
import { Run } from "./run.js";

const VIEWS = { review: Review, data: Data, run: Run, compare: Compare, promote: Promote };
const STAFF_ONLY = ["review", "data"];

await sheet("training.css");

function Steps({ now }) {
  const waiting = figures.value?.waiting;
  return html`<nav class="steps" aria-label=${t("training.steps")}><ol>${STEPS.map((step, index) => html`
    <li key=${step}><a href=${href(place(step))} aria-current=${step === now ? "page" : undefined}><span class="step-number" aria-hidden="true">${index + 1}</span>${t(`training.step.${step}`)}
      ${step === "review" && waiting > 0 && html`<span class="chip">${waiting}<span class="unseen"> ${t("training.waiting")}</span></span>`}</a></li>`)}</ol></nav>`;
}

export default function Training({ inside }) {
  const [step, ...rest] = inside.split("/");
  const known = STEPS.includes(step);
  useEffect(() => {
    readNames();
    if (!known) go(place(may("staff") ? "review" : "run"), {}, { replace: true });
  }, [known]);
  const View = VIEWS[step];
  if (!View) return null;
  const barred = STAFF_ONLY.includes(step) && !may("staff");
  return html`<div class="training"><${Steps} now=${step} />
    <div class="training-body">${barred ? html`<${Empty} picture="people" title=${t("frame.notAllowed")} text=${t("frame.notAllowedNext")} />` : html`<${View} key=${step} id=${rest.join("/")} />`}</div></div>`;
}
