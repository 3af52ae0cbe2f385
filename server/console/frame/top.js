// The top bar of every page: search, the engine's state, the switch that silences the bot, oneself.
import { Button, IconButton, Keys, Menu } from "./parts.js";
import { connection } from "./live.js";
import { LANGUAGES, ago, choose, language, t } from "./i18n.js";
import { failed, toast } from "./overlay.js";
import { go, route } from "./router.js";
import { botOff, botSwitch, live, may, person, presence, service, setPresence, setSwitch, signOut } from "./session.js";
import { icon } from "./icons.js";
import { classes, html, useEffect, useRef, useState } from "./ui.js";
import { nextTheme, theme } from "./theme.js";

const PRESENCES = ["online", "busy", "away"];
export const searchField = { current: null };

function Search() {
  const field = useRef(null);
  const q = (route.value.path.startsWith("/inbox") && route.value.query.q) || ""; // other pages search for something else
  const [text, setText] = useState(q);
  useEffect(() => setText(q), [q]);
  searchField.current = field.current;
  useEffect(() => {
    searchField.current = field.current;
  });
  const find = (event) => {
    event.preventDefault();
    const keep = route.value.path.startsWith("/inbox") ? route.value.query : {};
    go(route.value.path.startsWith("/inbox") ? route.value.path : "/inbox", { ...keep, q: text.trim() });
    field.current.blur();
  };
  const back = (event) => event.key === "Escape" && (setText(q), field.current.blur());
  return html`<form class="search" role="search" onSubmit=${find}>${icon("search", 16)}
    <input ref=${field} type="search" value=${text} onInput=${(event) => setText(event.currentTarget.value)} onKeyDown=${back} aria-label=${t("frame.search")} placeholder=${t("frame.search")} />
    <kbd aria-hidden="true">/</kbd></form>`;
}

function Engine() {
  const { state, notes, reasons } = service.value;
  const detail = [...Object.entries(reasons), ...Object.entries(notes)].map(([name, text]) => `${name}: ${text}`).join("\n");
  const tone = { ready: "good", noted: "warn", failing: "bad", unreachable: "bad" }[state];
  const { release, canary } = live.value;
  return html`<a class="engine" href="/console/settings" title=${detail || t(`service.${state}`)}><span class=${classes("light", tone)} aria-hidden="true"></span>
    <span>${t(`service.${state}`)}</span>${release && html`<span class="soft release">${release.slice(0, 10)}${canary ? " + canary" : ""}</span>`}</a>`;
}

async function turn(silent) {
  await setSwitch(silent);
  toast(t(silent ? "switch.nowOff" : "switch.nowOn"), { undo: () => setSwitch(!silent).catch(failed) });
}

/** The emergency brake: one press, and back by one press. */
function Switch() {
  if (!botSwitch.value) return null;
  const off = botOff.value;
  if (!may("staff")) return html`<span class=${classes("chip", off ? "bad" : "good")}>${t(off ? "switch.off" : "switch.on")}</span>`;
  return html`<${Button} look=${classes("switch", off && "off")} role="switch" aria-checked=${!off} run=${() => turn(!off)} title=${t(off ? "switch.turnOn" : "switch.turnOff")}>
    ${icon("power", 15)}<span>${t(off ? "switch.off" : "switch.on")}</span></${Button}>`;
}

/** Shown on every page while the bot is silent somewhere. */
export function Silence() {
  const { rows = [], silent } = botSwitch.value || {};
  const places = rows.filter((row) => row.silent && row.channel !== "*").map((row) => (row.account === "*" ? row.channel : `${row.channel} / ${row.account}`));
  if (!silent && !places.length) return null;
  const since = rows.find((row) => row.channel === "*")?.changed_at;
  return html`<div class="banner" role="status">${icon("alert", 16)}<span>${silent ? t("switch.banner", { when: since ? ago(since) : "" }) : t("switch.places", { places: places.join(", ") })}</span>
    ${silent && may("staff") && html`<${Button} look="small" run=${() => turn(false)}>${t("switch.turnOn")}</${Button}>`}</div>`;
}

function Me() {
  const rows = [
    ...(presence.value ? PRESENCES.map((each) => ({ label: t(`presence.${each}`), run: () => setPresence(each), picture: each === presence.value ? "check" : "person" })) : []),
    { label: t("frame.theme", { name: t(`theme.${theme.value}`) }), run: async () => nextTheme(), picture: "theme" },
    ...Object.entries(LANGUAGES).filter(([tag]) => tag !== language.value).map(([tag, name]) => ({ label: name, run: () => choose(tag), picture: "web" })),
    { label: t("account.title"), run: async () => go("/people/me"), picture: "person" },
    { label: t("frame.settings"), run: async () => go("/settings"), picture: "settings" },
    { label: t("frame.signOut"), run: signOut, picture: "door" },
  ];
  return html`<${Menu} name=${t("frame.me", { name: person.value.name, role: t(`roles.${person.value.role}`) })} look="me" rows=${rows}>
    ${presence.value && html`<span class=${classes("light", { online: "good", busy: "warn", away: "" }[presence.value])}></span>`}
    <span id="who-name">${person.value.name}</span><span class="soft" id="who-role">${t(`roles.${person.value.role}`)}</span>${icon("chevron", 14)}</${Menu}>`;
}

export function Top({ palette, help }) {
  const lost = connection.value === "lost";
  return html`<header class="top">
    <${Search} />
    <button type="button" class="palette-button" onClick=${palette}>${t("frame.commands")} <${Keys} keys="Mod+k" /></button>
    <span class="grow"></span>
    ${lost && html`<span class="chip warn" role="status">${t("frame.reconnecting")}</span>`}
    <${Engine} /><${Switch} />
    <${IconButton} picture="help" name=${t("frame.shortcuts")} onClick=${help} aria-keyshortcuts="?" />
    <${Me} />
  </header>`;
}
