// Settings: how the console looks, the service's state, the bot switch, people, API keys, webhooks, sessions, and the
// configuration the server runs with.
import { api } from "../frame/api.js";
import { ago, t, word } from "../frame/i18n.js";
import { Button, Waiting, useRead } from "../frame/parts.js";
import { botOff, botSwitch, may, service, setSwitch } from "../frame/session.js";
import { classes, html } from "../frame/ui.js";
import { sheet } from "../frame/sheet.js";
import { KeysCard } from "./access.js";
import { Appearance } from "./settings/appearance.js";
import { Configuration } from "./settings/configuration.js";
import { Webhooks } from "./settings/webhooks.js";

await sheet("training.css");

function Service() {
  const { state, notes, reasons } = service.value;
  const rows = [...Object.entries(reasons), ...Object.entries(notes)].filter(([, text]) => text);
  const tone = { ready: "good", noted: "warn", checking: "" }[state] ?? "bad";
  return html`<section class="card" aria-labelledby="service-title"><header class="head"><h2 id="service-title">${t("settings.service")}</h2><span class=${classes("chip", tone)}>${t(`service.${state}`)}</span></header>
    <ul class="lines">${rows.length ? rows.map(([name, text]) => html`<li key=${name}><div class="what"><b>${word("part", name.toLowerCase())}</b><span>${typeof text === "string" ? text : JSON.stringify(text)}</span></div></li>`)
      : html`<li><div class="what"><b>${t("settings.works")}</b></div></li>`}</ul></section>`;
}

function BotSwitch() {
  if (!botSwitch.value) return null;
  const off = botOff.value;
  const everywhere = botSwitch.value.rows.find((row) => row.channel === "*" && row.account === "*");
  return html`<section class=${classes("card brake", off ? "off" : "on")} aria-labelledby="switch-title"><div class="grow"><h2 id="switch-title">${t(off ? "switch.isOff" : "switch.isOn")}</h2>
    <p class="soft">${t(off ? "switch.offMeans" : "switch.onMeans")}${everywhere ? ` ${t("switch.changed", { when: ago(everywhere.changed_at) })}` : ""}</p></div>
    ${may("staff") && html`<${Button} look=${off ? "main" : "danger"} run=${() => setSwitch(!off)}>${t(off ? "switch.turnOn" : "switch.turnOff")}</${Button}>`}</section>`;
}

const BROWSERS = [["Edg/", "Edge"], ["OPR/", "Opera"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]];
const SYSTEMS = [["iPhone", "iPhone"], ["iPad", "iPad"], ["Android", "Android"], ["Windows", "Windows"], ["Mac OS", "Mac"], ["Linux", "Linux"]];

/** A browser's name for people; the raw text when it is unknown. */
function device(text) {
  const find = (table) => table.find(([mark]) => text.includes(mark))?.[1];
  const parts = [find(BROWSERS), find(SYSTEMS)];
  return parts[0] ? parts.filter(Boolean).join(" · ") : text || t("settings.unknownBrowser");
}

function Sessions() {
  const [found, error, read] = useRead(() => api("GET", "/api/sessions"));
  const end = async (id) => {
    await api("DELETE", `/api/sessions/${id}`);
    await read();
  };
  return html`<section class="card" aria-labelledby="sessions-title"><h2 id="sessions-title">${t("settings.sessions")}</h2>
    ${error && html`<p class="note bad" role="alert">${error.message}</p>`}${!found && !error && html`<${Waiting} rows=${2} />`}
    <ul class="lines">${(found?.sessions || []).map((one) => html`<li key=${one.id}><div class="what"><b>${device(one.device)}</b><span>${one.ip} · ${ago(one.seen_at)}</span></div>
      ${one.current ? html`<span class="chip good">${t("settings.thisBrowser")}</span>` : html`<${Button} look="small" run=${() => end(one.id)} aria-label=${t("settings.endOf", { name: device(one.device) })}>${t("frame.signOut")}</${Button}>`}</li>`)}</ul></section>`;
}

export default function Settings() {
  return html`<div class="page"><h1>${t("pages.settings")}</h1><div class="cards"><div class="column"><${BotSwitch} /><${Service} /><${Appearance} /><${Sessions} /></div>
    ${may("admin") && html`<div class="column"><${KeysCard} /><${Webhooks} /></div>`}</div>
    ${may("admin") ? html`<${Configuration} />` : html`<p class="note">${t("settings.forAdmins")}</p>`}</div>`;
}
