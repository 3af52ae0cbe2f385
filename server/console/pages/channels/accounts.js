// The accounts: health, last events, signature checks, limits, addresses to copy, pause, and a test message.
import { api } from "../../frame/api.js";
import { channelIcon, channelName } from "../../frame/channels.js";
import { moment, number, t, word } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { toast } from "../../frame/overlay.js";
import { Button, Empty, IconButton, Waiting, When, useRead } from "../../frame/parts.js";
import { href } from "../../frame/router.js";
import { botSwitch, may, readSwitch } from "../../frame/session.js";
import { classes, html, useEffect, useState } from "../../frame/ui.js";
import { SendTest } from "./send.js";

const READ_MS = 10_000;
const FIRST_REFUSAL = 400;
const SETUP = { slack: "https://api.slack.com/apps", telegram: "https://t.me/BotFather", twilio: "https://console.twilio.com/", meta: "https://developers.facebook.com/apps/" };

/** How an account is, in one word and one colour. */
function stateOf(row) {
  if (!row.on) return ["off", ""];
  if (row.revoked) return ["revoked", "bad"];
  if (row.ok === false) return ["failing", "bad"];
  if (row.ok === null) return ["unknown", "warn"];
  return ["works", "good"];
}

const Fact = ({ name, children }) => html`<div><dt>${name}</dt><dd>${children}</dd></div>`;
const maybe = (at) => (at ? html`<${When} at=${at} />` : t("channels.never"));

function Doors({ row }) {
  if (row.channel === "web" || row.mode === "polling") return null;
  const accepted = row.deliveries.filter((each) => each.status < FIRST_REFUSAL).reduce((sum, each) => sum + each.deliveries, 0);
  const refused = row.deliveries.filter((each) => each.status >= FIRST_REFUSAL);
  const total = refused.reduce((sum, each) => sum + each.deliveries, 0);
  return html`<section class="doors" aria-label=${t("channels.checks")}><h3>${icon("check", 14)} ${t("channels.checks")}</h3>
    <p>${accepted + total === 0 ? t("channels.noDeliveries") : html`<span class="chip good">${t("channels.accepted", { n: accepted })}</span> <span class=${classes("chip", total > 0 && "bad")}>${t("channels.refused", { n: total })}</span>`}</p>
    ${row.latest.length > 0 && html`<ol class="calls-row" role="list" aria-label=${t("channels.latest")}>${row.latest.map((call, index) => html`<li key=${index} class=${call.status < FIRST_REFUSAL ? "good" : "bad"} title=${`${moment(call.at)} ${call.status} ${call.reason}`}>
      ${icon(call.status < FIRST_REFUSAL ? "check" : "close", 12)}<span class="unseen">${call.status < FIRST_REFUSAL ? t("channels.fits") : `${call.status} ${call.reason}`}</span></li>`)}</ol>`}
    <ul class="plain-list">${refused.map((each) => html`<li key=${`${each.status} ${each.reason}`}><b>${number(each.deliveries)} × ${each.status}</b> ${each.reason} <span class="soft"><${When} at=${each.last_at} /></span></li>`)}</ul></section>`;
}

function Sent({ row }) {
  if (row.channel === "web") return null;
  const of = (...states) => row.sent.filter((each) => states.includes(each.state)).reduce((sum, each) => sum + each.parts, 0);
  const good = of("sent", "delivered", "read");
  const bad = of("failed", "uncertain");
  return html`<${Fact} name=${t("channels.today")}>${good + bad === 0 ? t("channels.noneSent") : html`${t("channels.sentOf", { n: good })}${bad > 0 ? html` <span class="chip bad">${t("channels.failedOf", { n: bad })}</span>` : ""}`}</${Fact}>`;
}

function limitsOf({ text_units: units, unit, window_s: window, per_second: pace, per_chat_second: chat }) {
  return [t("channels.limit.text", { n: units, unit: t(`channels.units.${unit}`) }), window && t("channels.limit.window", { n: Math.round(window / 3600) }), pace && t("channels.limit.pace", { n: pace }), chat && t("channels.limit.chat", { n: chat })].filter(Boolean).join(" · ");
}

const copy = async (text) => {
  await navigator.clipboard.writeText(text);
  toast(t("copied"));
};

function Addresses({ row }) {
  const whole = (address) => (address.startsWith("/") ? location.origin + address : address);
  if (!row.webhooks.length || row.mode === "polling") return null;
  return html`<section class="addresses" aria-label=${t("channels.addresses")}><h3>${t("channels.addresses")}</h3>
    ${row.webhooks[0].startsWith("/") && html`<p class="note warn">${t("channels.noPublicUrl")}</p>`}
    <ul class="plain-list">${row.webhooks.map((address) => html`<li key=${address}><code>${whole(address)}</code><${IconButton} look="small" picture="file" name=${t("channels.copyAddress", { address: whole(address) })} onClick=${() => copy(whole(address))} /></li>`)}</ul></section>`;
}

function Pause({ row }) {
  const rows = botSwitch.value?.rows || [];
  const own = rows.find((each) => each.channel === row.channel && each.account === row.account);
  const silent = own?.silent || rows.some((each) => each.silent && (each.channel === "*" || (each.channel === row.channel && each.account === "*")));
  if (!may("staff")) return silent ? html`<span class="chip bad">${t("channels.paused")}</span>` : null;
  const turn = async () => {
    await api("PUT", "/api/switch", { channel: row.channel, account: row.account, silent: !own?.silent });
    await readSwitch();
  };
  return html`<${Button} look=${classes("small", own?.silent && "danger")} aria-pressed=${Boolean(own?.silent)} run=${turn} title=${t("channels.pauseMeans")}>${icon("power", 14)}${t(own?.silent ? "channels.resume" : "channels.pause")}</${Button}>`;
}

function Account({ row, test }) {
  const [state, tone] = stateOf(row);
  const name = row.account === "default" ? channelName(row.channel) : `${channelName(row.channel)} / ${row.account}`;
  const setup = SETUP[row.provider] || SETUP[row.channel];
  return html`<article class="card account" aria-label=${name}>
    <header class="head"><span class="account-name">${icon(channelIcon(row.channel), 22)}<h2>${name}</h2></span><span class=${classes("chip", tone)}><span class=${classes("light", tone)} aria-hidden="true"></span>${t(`channels.states.${state}`)}</span></header>
    ${(row.revoked || row.detail) && html`<p class=${classes("note", row.revoked || row.ok === false ? "bad" : "plain")}>${row.revoked || row.detail}</p>`}
    ${row.on ? html`<dl class="account-facts"><${Fact} name=${t("channels.in")}>${maybe(row.last_message_at)}</${Fact}>
        ${row.channel !== "web" && html`<${Fact} name=${t("channels.out")}>${maybe(row.last_sent_at)}</${Fact}><${Fact} name=${t("channels.checked")}>${maybe(row.checked_at)}</${Fact}>`}
        <${Sent} row=${row} /><${Fact} name=${t("channels.how")}>${word("channels.modes", row.mode)}${row.provider ? ` · ${row.provider}` : ""}</${Fact}>
        ${row.limits && html`<${Fact} name=${t("channels.limits")}>${limitsOf(row.limits)}</${Fact}>`}</dl>
      <${Doors} row=${row} /><${Addresses} row=${row} />` : html`<p class="soft">${t("channels.offNext", { file: `docs/channels/${row.channel}.md` })}</p>`}
    <footer class="acts">${row.on && html`<${Pause} row=${row} />`}
      ${row.on && row.channel !== "web" && may("admin") && html`<button type="button" class="small" onClick=${() => test(row)}>${icon("send", 14)}${t("channels.sendTest")}</button>`}
      ${may("staff") && html`<a class="button small" href=${href(`/channels/simulator/${row.channel}`)}>${icon("bot", 14)}${t("channels.simulate")}</a>`}
      ${row.channel === "web" ? html`<a class="button small" href="/web/demo" target="_blank" rel="noopener">${t("channels.demo")}</a>`
        : html`<a class="button small" href=${setup} target="_blank" rel="noopener noreferrer" title=${`docs/channels/${row.channel}.md`}>${t("channels.setup")}</a>`}</footer>
  </article>`;
}

export function Accounts() {
  const [found, error, read] = useRead(() => api("GET", "/api/channels"));
  const [testing, setTesting] = useState(null);
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === "visible" && read(), READ_MS);
    return () => clearInterval(timer);
  }, []);
  const rows = found?.channels || [];
  const bare = found && !rows.some((row) => row.channel !== "web" && row.on);
  return html`${error && html`<p class="note bad" role="alert">${error.message} <${Button} look="text" run=${read}>${t("retry")}</${Button}></p>`}
    ${!found && !error && html`<${Waiting} rows=${4} />`}
    ${bare && html`<section class="card hint"><${Empty} picture="channels" title=${t("channels.none")} text=${t("channels.noneNext")}>${may("staff") && html`<a class="button" href=${href("/channels/simulator")}>${t("channels.simulate")}</a>`}</${Empty}></section>`}
    <div class="cards">${rows.map((row) => html`<${Account} key=${`${row.channel}/${row.account}`} row=${row} test=${setTesting} />`)}</div>
    ${testing && html`<${SendTest} row=${testing} close=${() => setTesting(null)} />`}`;
}
