// The command palette: pages, actions, contacts and conversations by a few letters.
import { api, queryOf } from "./api.js";
import { LANGUAGES, choose, language, t } from "./i18n.js";
import { icon } from "./icons.js";
import { bound } from "./keys.js";
import { Dialog, failed } from "./overlay.js";
import { Keys, plain } from "./parts.js";
import { go, pages } from "./router.js";
import { botOff, may, setSwitch } from "./session.js";
import { nextTheme, theme } from "./theme.js";
import { html, useEffect, useMemo, useRef, useState } from "./ui.js";

const MOST = 9;
const ASK_MS = 150; // after the last letter
const LETTERS = 2; // what is asked of the server needs as many
const CONTACTS = 4; // at most, so that conversations have their place
const recent = { rows: [], contacts: [] };

function commands() {
  const places = pages.filter((page) => may(page.role)).map((page) => ({ label: t(page.title), picture: page.icon, group: t("palette.pages"), run: () => go(page.path) }));
  const keys = bound.value.filter((row) => row.label && !row.always && !row.keys.startsWith("Escape")).map((row) => ({ label: t(row.label), picture: "go", keys: row.keys, group: t("palette.actions"), run: () => row.run(new Event("command")) }));
  const languages = Object.entries(LANGUAGES).filter(([tag]) => tag !== language.value).map(([tag, name]) => ({ label: t("palette.language", { name }), picture: "web", group: t("palette.actions"), run: () => choose(tag) }));
  return [
    ...places, ...keys, ...languages,
    may("staff") && { label: t(botOff.value ? "switch.turnOn" : "switch.turnOff"), picture: "power", group: t("palette.actions"), run: () => setSwitch(!botOff.value) },
    { label: t("frame.theme", { name: t(`theme.${theme.value}`) }), picture: "theme", group: t("palette.actions"), run: async () => nextTheme() },
  ].filter(Boolean);
}

const talks = () => recent.rows.map((row) => ({ label: row.customer_name || t("visitor"), detail: plain(row.preview), picture: "inbox", group: t("palette.conversations"), run: () => go(`/inbox/${row.id}`) }));

const people = () => recent.contacts.map((row) => ({ label: row.name || t("visitor"), picture: "person", group: t("palette.contacts"), run: () => go(`/contacts/${row.id}`) }));

async function ask(q) {
  const [page, found] = await Promise.all([api("GET", `/api/inbox${queryOf({ q, limit: MOST })}`), api("GET", `/api/customers${queryOf({ q, limit: CONTACTS })}`)]);
  return { rows: page.conversations, contacts: found.customers };
}

/** Rows that hold every word, those that begin with the text first. */
function fitting(rows, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const hay = (row) => `${row.label} ${row.detail || ""}`.toLowerCase();
  return rows.filter((row) => words.every((word) => hay(row).includes(word)))
    .sort((a, b) => b.label.toLowerCase().startsWith(words[0] ?? "") - a.label.toLowerCase().startsWith(words[0] ?? "")).slice(0, MOST);
}

export function Palette({ close }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [fresh, setFresh] = useState(0);
  const field = useRef(null);
  const all = useMemo(commands, []);
  useEffect(() => {
    field.current.focus();
  }, []);
  useEffect(() => {
    if (text.trim().length < LETTERS) return undefined;
    let wanted = true; // an answer to fewer letters may come after the one to more
    const timer = setTimeout(() => ask(text.trim()).then((found) => wanted && (Object.assign(recent, found), setFresh((now) => now + 1))).catch(failed), ASK_MS);
    return () => ((wanted = false), clearTimeout(timer));
  }, [text]);
  const rows = useMemo(() => [...fitting(all, text), ...(text.trim().length < LETTERS ? [] : [...people(), ...talks()])].slice(0, MOST), [text, fresh]);
  const run = (row) => {
    close();
    requestAnimationFrame(() => Promise.resolve(row.run()).catch(failed));
  };
  const press = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && rows.length) setAt((at + step + rows.length) % rows.length);
    else if (event.key === "Enter" && rows[at]) run(rows[at]);
    else return;
    event.preventDefault();
  };
  return html`<${Dialog} title=${t("frame.commands")} close=${close} bare>
    <div class="palette">
      <input ref=${field} role="combobox" aria-expanded="true" aria-controls="palette-rows" aria-autocomplete="list" aria-activedescendant=${rows[at] ? `palette-${at}` : undefined}
        aria-label=${t("palette.ask")} placeholder=${t("palette.ask")} value=${text} onInput=${(event) => (setText(event.currentTarget.value), setAt(0))} onKeyDown=${press} />
      <ul id="palette-rows" role="listbox" aria-label=${t("frame.commands")}>${rows.map((row, index) => html`
        <li key=${`${row.group}-${row.label}-${index}`} id=${`palette-${index}`} role="option" aria-selected=${index === at} onMouseMove=${() => setAt(index)} onClick=${() => run(row)}>
          ${icon(row.picture, 16)}<span class="grow">${row.label}${row.detail && html` <span class="soft">${row.detail}</span>`}</span>
          ${row.keys ? html`<${Keys} keys=${row.keys} />` : html`<span class="soft">${row.group}</span>`}</li>`)}</ul>
      ${rows.length === 0 && html`<p class="soft centre" role="status">${t("palette.nothing")}</p>`}
    </div></${Dialog}>`;
}
