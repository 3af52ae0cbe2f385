// One's own account: name, password, second step, where one is signed in, and notices of this browser.
import { api, me } from "../../frame/api.js";
import { ago, t } from "../../frame/i18n.js";
import { askNotices, notices } from "../../frame/notices.js";
import { toast } from "../../frame/overlay.js";
import { Button, Waiting, useRead } from "../../frame/parts.js";
import { person } from "../../frame/session.js";
import { html, useState } from "../../frame/ui.js";
import { Once } from "../access.js";

const BROWSERS = [["Edg/", "Edge"], ["OPR/", "Opera"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]];
const SYSTEMS = [["iPhone", "iPhone"], ["iPad", "iPad"], ["Android", "Android"], ["Windows", "Windows"], ["Mac OS", "Mac"], ["Linux", "Linux"]];

/** A browser's name for people; the raw text when it is unknown. */
export function device(text) {
  const find = (table) => table.find(([mark]) => text.includes(mark))?.[1];
  const parts = [find(BROWSERS), find(SYSTEMS)];
  return parts[0] ? parts.filter(Boolean).join(" · ") : text || t("settings.unknownBrowser");
}

/** Signed-in browsers as lines; `end` signs one out. */
export const SessionRows = ({ rows, end }) => html`<ul class="lines">${rows.map((one) => html`<li key=${one.id}><div class="what"><b>${device(one.device)}</b><span>${one.ip} · ${ago(one.seen_at)}</span></div>
  ${one.current ? html`<span class="chip good">${t("settings.thisBrowser")}</span>` : end && html`<${Button} look="small" run=${() => end(one.id)} aria-label=${t("settings.endOf", { name: device(one.device) })}>${t("frame.signOut")}</${Button}>`}</li>`)}</ul>`;

/** A form whose `send` gets its values; what a refusal says is shown, the fields it names are marked. */
function Ask({ send, label, children }) {
  const [wrong, setWrong] = useState("");
  const submit = async (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    for (const input of form.elements) input.removeAttribute("aria-invalid");
    try {
      await send(Object.fromEntries(new FormData(form)));
      setWrong("");
      form.reset();
    } catch (error) {
      if (error.status === undefined) throw error;
      for (const { field } of error.fields) form.elements[field]?.setAttribute("aria-invalid", "true");
      setWrong(error.message);
    }
  };
  return html`<form class="narrow-form" noValidate onSubmit=${submit} aria-label=${label}>${children}${wrong && html`<p class="note bad" role="alert">${wrong}</p>`}</form>`;
}

const Current = () => html`<label>${t("account.current")}<input name="current" type="password" autocomplete="current-password" required /></label>`;
const Code = ({ hint }) => html`<label>${t("account.code")}<input name="code" inputmode=${hint ? "text" : "numeric"} autocomplete="one-time-code" required maxlength="40" />${hint && html`<small>${hint}</small>`}</label>`;

/** The picture an app scans; always dark on white, so that cameras read it in every theme. */
const Picture = ({ side, path }) => html`<svg class="qr" viewBox=${`0 0 ${side} ${side}`} role="img" aria-label=${t("account.picture")} shape-rendering="crispEdges"><rect width=${side} height=${side} fill="#fff" /><path d=${path} fill="#000" /></svg>`;

const Codes = ({ codes, done }) => html`<div class="once"><b>${t("account.codes")}</b><p>${t("account.codesLead")}</p><div class="codes" id="recovery-codes">${codes.map((code) => html`<code key=${code}>${code}</code>`)}</div>
  <div class="acts"><${Button} look="small" run=${async () => (await navigator.clipboard.writeText(codes.join("\n")), toast(t("copied")))}>${t("copy")}</${Button}><button type="button" class="small" onClick=${done}>${t("account.kept")}</button></div></div>`;

function Enrol({ done }) {
  const [begun, setBegun] = useState(null);
  const begin = async ({ current }) => setBegun(await api("POST", "/api/profile/second-factor", { current }));
  const confirm = async ({ code }) => {
    const made = await api("POST", "/api/profile/second-factor/confirm", { code });
    await me(); // the session is a new one
    done(made.recovery_codes);
  };
  if (!begun) return html`<${Ask} send=${begin} label=${t("account.setUp")}><${Current} /><div><button class="main" type="submit">${t("account.setUp")}</button></div></${Ask}>`;
  return html`<div class="enrol"><${Picture} ...${begun} /><div class="grow"><p>${t("account.scan")}</p><code>${begun.secret}</code>
    <${Ask} send=${confirm} label=${t("account.turnOn")}><${Code} /><div><button class="main" type="submit">${t("account.turnOn")}</button></div></${Ask}></div></div>`;
}

function TwoSteps({ profile, read }) {
  const [codes, setCodes] = useState(null);
  const [asked, ask] = useState("");
  const on = profile.second_factor_since !== null;
  const enrolled = async (fresh) => (setCodes(fresh), ask(""), read());
  const renew = async ({ code }) => enrolled((await api("POST", "/api/profile/recovery-codes", { code })).recovery_codes);
  const off = async ({ code }) => (await api("POST", "/api/profile/second-factor/off", { code }), enrolled(null));
  return html`<section class="card" aria-labelledby="steps-title"><header class="head"><h2 id="steps-title">${t("account.twoSteps")}</h2><span class=${`chip ${on ? "good" : ""}`}>${t(on ? "account.on" : "account.off")}</span></header>
    <p class="soft">${on ? t("account.since", { when: ago(profile.second_factor_since), n: profile.recovery_codes_left }) : t(profile.second_factor_required ? "account.required" : "account.why")}</p>
    ${codes && html`<${Codes} codes=${codes} done=${() => setCodes(null)} />`}
    ${!on && !codes && html`<${Enrol} done=${enrolled} />`}
    ${on && !codes && html`<div class="acts"><button type="button" class="small" aria-expanded=${asked === "renew"} onClick=${() => ask(asked === "renew" ? "" : "renew")}>${t("account.renew")}</button>
      ${!profile.second_factor_required && html`<button type="button" class="small" aria-expanded=${asked === "off"} onClick=${() => ask(asked === "off" ? "" : "off")}>${t("account.turnOff")}</button>`}</div>`}
    ${asked && html`<${Ask} key=${asked} send=${asked === "renew" ? renew : off} label=${t(asked === "renew" ? "account.renew" : "account.turnOff")}><${Code} hint=${t("account.codeHint")} /><div><button class="main" type="submit">${t(asked === "renew" ? "account.renew" : "account.turnOff")}</button></div></${Ask}>`}</section>`;
}

function Sessions() {
  const [found, error, read] = useRead(() => api("GET", "/api/sessions"));
  const end = async (id) => (await api("DELETE", `/api/sessions/${id}`), read());
  const others = async () => (await api("DELETE", "/api/sessions"), read());
  return html`<section class="card" aria-labelledby="sessions-title"><header class="head"><h2 id="sessions-title">${t("settings.sessions")}</h2>
      ${found?.sessions.length > 1 && html`<${Button} look="small" run=${others}>${t("account.others")}</${Button}>`}</header>
    ${error && html`<p class="note bad" role="alert">${error.message}</p>`}${!found && !error && html`<${Waiting} rows=${2} />`}
    ${found && html`<${SessionRows} rows=${found.sessions} end=${end} />`}</section>`;
}

function Notices() {
  const state = notices.value;
  return html`<section class="card" aria-labelledby="notices-title"><h2 id="notices-title">${t("notices.title")}</h2><p class="soft">${t(`notices.${state}`)}</p>
    ${state === "default" && html`<div><${Button} run=${askNotices}>${t("notices.ask")}</${Button}></div>`}</section>`;
}

export function Account() {
  const [profile, error, read] = useRead(() => api("GET", "/api/profile"));
  if (error) return html`<p class="note bad" role="alert">${error.message}</p>`;
  if (!profile) return html`<${Waiting} rows=${4} />`;
  const rename = async ({ name }) => {
    await api("PATCH", "/api/profile", { name });
    person.value = { ...person.value, name };
    toast(t("account.saved"));
    await read();
  };
  const password = async (values) => {
    await api("POST", "/api/profile/password", values);
    await me();
    toast(t("account.passwordSaved"));
  };
  return html`<div class="cards"><div class="column">
    <section class="card" aria-labelledby="account-title"><h2 id="account-title">${t("account.title")}</h2><p class="soft">${profile.email} · ${t(`roles.${profile.role}`)}${profile.teams.length ? ` · ${profile.teams.map((team) => team.name).join(", ")}` : ""}</p>
      <${Ask} key=${profile.name} send=${rename} label=${t("account.title")}><label>${t("account.name")}<input name="name" defaultValue=${profile.name} required maxlength="100" autocomplete="name" /></label><div><button type="submit">${t("account.save")}</button></div></${Ask}></section>
    <section class="card" aria-labelledby="password-title"><h2 id="password-title">${t("account.password")}</h2>
      <${Ask} send=${password} label=${t("account.password")}><${Current} /><label>${t("account.fresh")}<input name="password" type="password" autocomplete="new-password" required /><small>${t("account.length")}</small></label><div><button type="submit">${t("account.change")}</button></div></${Ask}></section></div>
    <div class="column"><${TwoSteps} profile=${profile} read=${read} /><${Sessions} /><${Notices} /></div></div>`;
}
