// How the console looks and speaks in this browser: kept here, asked nowhere.
import { LANGUAGES, choose, language, t } from "../../frame/i18n.js";
import { allowSingle, singleKeys } from "../../frame/keys.js";
import { failed } from "../../frame/overlay.js";
import { theme, wear } from "../../frame/theme.js";
import { html } from "../../frame/ui.js";

const THEMES = ["system", "light", "dark"];

/** One of a few, as radio buttons in a row. */
const Choice = ({ name, title, rows, value, pick }) => html`<fieldset class="choice"><legend>${title}</legend>${rows.map(([code, text]) => html`
  <label class="tick-line" key=${code}><input type="radio" name=${name} value=${code} checked=${value === code} onChange=${() => pick(code)} />${text}</label>`)}</fieldset>`;

export function Appearance() {
  return html`<section class="card" aria-labelledby="look-title"><h2 id="look-title">${t("settings.look")}</h2>
    <${Choice} name="theme" title=${t("settings.theme")} rows=${THEMES.map((name) => [name, t(`theme.${name}`)])} value=${theme.value} pick=${wear} />
    <${Choice} name="language" title=${t("settings.language")} rows=${Object.entries(LANGUAGES)} value=${language.value} pick=${(tag) => choose(tag).catch(failed)} />
    <label class="tick-line"><input type="checkbox" checked=${singleKeys.value} onChange=${(event) => allowSingle(event.currentTarget.checked)} />${t("keys.single")}</label></section>`;
}
