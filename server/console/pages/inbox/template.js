// Outside the window of free text: one of the account's approved templates, its variables, and what the customer will read.
import { t } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { html, useState } from "../../frame/ui.js";
import { send } from "./replies.js";

const LONGEST = 500; // characters of one value
const LINE = "NAME LANGUAGE: … {{1}} …"; // of the configuration file
const filled = ({ text }, values) => text.replace(/\{\{\s*(\d+)\s*\}\}/g, (_all, number) => values[number - 1]?.trim() || "…");
const nameOf = (one) => `${one.key} (${one.language})`;

function None({ row }) {
  const setting = `channels.${row.channel}.${row.account}.templates`;
  return html`<div id="composer-field" role="tabpanel" aria-labelledby="tab-R"><p class="note warn" role="status">${t("template.none", { setting })} <code>${LINE}</code> ${t("template.restart")}</p></div>`;
}

export function Templates({ detail, mine, field }) {
  const row = detail.conversation;
  const offered = detail.desk.room.templates;
  const [at, setAt] = useState(0);
  const [values, setValues] = useState([]);
  const one = offered[Math.min(at, offered.length - 1)];
  if (!one) return html`<${None} row=${row} />`;
  const given = Array.from({ length: one.variables }, (_each, index) => values[index] || "");
  const ready = given.every((value) => value.trim());
  const words = one.text ? filled(one, given) : one.key;
  const go = (event) => {
    event.preventDefault();
    if (!ready) return;
    setValues([]);
    send(row.id, words, { claim: !mine, template: { key: one.key, language: one.language, values: given.map((value) => value.trim()) } });
  };
  const put = (index) => (event) => setValues(given.map((value, each) => (each === index ? event.currentTarget.value : value)));
  return html`<form class="composer-box templates" id="composer-field" role="tabpanel" aria-labelledby="tab-R" onSubmit=${go}>
    <p class="soft" role="status">${t("template.closed")}</p>
    <label>${t("template.choose")}<select ref=${field} value=${String(at)} onChange=${(event) => (setAt(Number(event.currentTarget.value)), setValues([]))}>
      ${offered.map((each, index) => html`<option key=${nameOf(each)} value=${String(index)}>${nameOf(each)}</option>`)}</select></label>
    ${given.length > 0 && html`<fieldset><legend class="unseen">${t("template.values")}</legend>${given.map((value, index) => html`
      <label key=${index}>${t("template.value", { n: index + 1 })}<input value=${value} maxlength=${LONGEST} required dir="auto" onInput=${put(index)} /></label>`)}</fieldset>`}
    <figure><figcaption class="soft">${t("template.preview")}</figcaption>
      ${one.text ? html`<blockquote dir="auto">${words}</blockquote>` : html`<p class="soft">${t("template.atPlatform", { name: one.key })}</p>`}</figure>
    <footer><span class="grow"></span><button type="submit" class="main" disabled=${!ready}>${icon("send", 15)}${t(mine ? "template.send" : "template.claimAndSend")}</button></footer>
  </form>`;
}
