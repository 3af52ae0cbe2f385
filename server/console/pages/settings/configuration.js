// The settings the server runs with: what they are, where each was written, and which a restart would change.
import { api } from "../../frame/api.js";
import { t } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { Waiting, useRead } from "../../frame/parts.js";
import { patch, route } from "../../frame/router.js";
import { classes, html } from "../../frame/ui.js";

const group = (key) => (key.includes(".") ? key.split(".")[0] : "general");

const Line = ({ line }) => html`<tr class=${classes(line.source !== "default" && "set", line.written !== line.value && "changed")}><th scope="row"><code>${line.key}</code></th><td>${line.value === "" ? html`<span class="soft">${t("settings.empty")}</span>` : html`<code>${line.value}</code>`}
  ${line.written !== line.value && html`<span class="chip warn">${t("settings.afterRestart", { value: line.written || t("settings.empty") })}</span>`}</td><td>${line.source === "default" ? html`<span class="soft">${t("settings.default")}</span>` : html`<code>${line.source}</code>`}</td></tr>`;

const Group = ({ name, lines, open }) => html`<details class="part" open=${open}><summary>${name}<span class="soft">${lines.filter((line) => line.source !== "default").length} / ${lines.length}</span>${icon("chevron", 16)}</summary>
  <div class="table-box" tabindex="0" role="group" aria-label=${name}><table class="settings-table"><thead><tr><th scope="col">${t("settings.key")}</th><th scope="col">${t("settings.value")}</th><th scope="col">${t("settings.source")}</th></tr></thead><tbody>${lines.map((line) => html`<${Line} key=${line.key} line=${line} />`)}</tbody></table></div></details>`;

export function Configuration() {
  const [found, error, read] = useRead(() => api("GET", "/api/settings"));
  const { find = "", own = "" } = route.value.query;
  const all = found?.settings || [];
  const shown = all.filter((line) => `${line.key} ${line.value}`.toLowerCase().includes(find.toLowerCase()) && (!own || line.source !== "default"));
  const groups = [...new Set(shown.map((line) => group(line.key)))];
  const changed = all.filter((line) => line.written !== line.value).length;
  return html`<section class="card" aria-labelledby="config-title"><h2 id="config-title">${t("settings.configuration")}</h2><p class="soft">${t("settings.readOnly")}</p>
    ${error && html`<p class="note bad" role="alert">${error.message} <button type="button" class="text" onClick=${read}>${t("retry")}</button></p>`}${!found && !error && html`<${Waiting} rows=${4} />`}
    ${found?.trouble && html`<p class="note bad">${t("settings.trouble")} ${found.trouble}</p>`}${changed > 0 && html`<p class="note warn">${t("settings.changed", { n: changed })}</p>`}
    ${found && html`<div class="filters"><input type="search" aria-label=${t("settings.find")} placeholder=${t("settings.find")} value=${find} onInput=${(event) => patch({ find: event.currentTarget.value }, { replace: true })} />
      <label class="tick-line"><input type="checkbox" checked=${Boolean(own)} onChange=${(event) => patch({ own: event.currentTarget.checked ? "1" : "" }, { replace: true })} />${t("settings.own")}</label></div>
      ${groups.map((name) => html`<${Group} key=${name} name=${name} lines=${shown.filter((line) => group(line.key) === name)} open=${Boolean(find || own)} />`)}${!shown.length && html`<p class="soft" role="status">${t("settings.nothing")}</p>`}`}</section>`;
}
