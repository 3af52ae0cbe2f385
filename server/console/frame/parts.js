// Small parts that every page is made of.
import { Refusal } from "./api.js";
import { ago, iso, moment, t } from "./i18n.js";
import { icon } from "./icons.js";
import { caps } from "./keys.js";
import { failed } from "./overlay.js";
import { classes, html, useEffect, useRef, useState } from "./ui.js";

const HUES = 8;

/** Which of eight quiet colours a name gets; always the same one. */
export const hue = (text) => [...text].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 9973, 7) % HUES;

const initials = (name) => name.split(/\s+/).filter((part) => /^[\p{L}\p{N}]/u.test(part)).slice(0, 2).map((part) => [...part][0]).join("").toUpperCase();

/** A round picture of initials; decoration, the name stands beside it. */
export const Avatar = ({ name, seed, small }) =>
  html`<span class=${classes("avatar", `hue-${hue(seed || name || "?")}`, small && "small")} aria-hidden="true">${initials(name || "") || icon("person", small ? 14 : 18)}</span>`;

/** A text in one line without the marks of Markdown. */
export const plain = (text) => text.replace(/[*_`#>]+|\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/\s+/g, " ");

/** The keys of a shortcut as they are printed. */
export const Keys = ({ keys }) => html`<span class="keys" aria-hidden="true">${caps(keys).map((cap) => html`<kbd>${cap}</kbd>`)}</span>`;

/** A moment as "3 minutes ago" with the whole date behind it. */
export const When = ({ at }) => html`<time datetime=${iso(at)} title=${moment(at)}>${ago(at)}</time>`;

/** What to do when there is nothing to show. */
export const Empty = ({ title, text, picture = "inbox", children }) => html`<div class="empty">
  <span class="empty-picture">${icon(picture, 28)}</span><h2>${title}</h2>${text && html`<p>${text}</p>`}${children}</div>`;

/** Lines that stand for what is being loaded. */
export const Waiting = ({ rows = 6 }) => html`<div class="waiting" role="status" aria-label=${t("loading")}>
  ${Array.from({ length: rows }, (_, index) => html`<span key=${index} class="waiting-line"></span>`)}</div>`;

/** A button whose action runs once at a time; what goes wrong is shown. */
export function Button({ run, look = "", children, ...more }) {
  const [busy, setBusy] = useState(false);
  const act = async (event) => {
    setBusy(true);
    try {
      await run(event);
    } catch (error) {
      failed(error);
    } finally {
      setBusy(false);
    }
  };
  return html`<button type="button" class=${look} onClick=${act} disabled=${busy || more.disabled} ...${more}>${children}</button>`;
}

/** A button with an icon only; its name is also its tip. */
export const IconButton = ({ name, picture, look, ...more }) =>
  html`<button type="button" class=${classes("icon-button", look)} aria-label=${name} title=${name} ...${more}>${icon(picture)}</button>`;

/** A button that opens a list of actions: rows of {label, run, picture, keys, danger} or null. */
export function Menu({ name, rows, children, look = "icon-button", end = true }) {
  const [open, setOpen] = useState(false);
  const node = useRef(null);
  useEffect(() => {
    if (!open) return undefined;
    const outside = (event) => !node.current?.contains(event.target) && setOpen(false);
    document.addEventListener("pointerdown", outside);
    node.current.querySelector("[role=menuitem]")?.focus();
    return () => document.removeEventListener("pointerdown", outside);
  }, [open]);
  const close = () => (setOpen(false), node.current?.querySelector("button")?.focus());
  const press = (event) => {
    const items = [...node.current.querySelectorAll("[role=menuitem]")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape" && open) close();
    else if (step && open) items[(items.indexOf(document.activeElement) + step + items.length) % items.length]?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const choose = (row) => () => (close(), Promise.resolve(row.run()).catch(failed));
  return html`<span class="menu" ref=${node} onKeyDown=${press}>
    <button type="button" class=${look} aria-haspopup="menu" aria-expanded=${open} aria-label=${children ? undefined : name} title=${name} onClick=${() => setOpen(!open)}>${children || icon("more")}</button>
    ${open && html`<span class=${classes("menu-list", end && "end")} role="menu" aria-label=${name}>${rows.filter(Boolean).map((row) => html`
      <button type="button" role="menuitem" class=${row.danger ? "danger-text" : ""} onClick=${choose(row)} key=${row.label}>
        ${row.picture && icon(row.picture, 16)}<span>${row.label}</span>${row.keys && html`<${Keys} keys=${row.keys} />`}</button>`)}</span>`}
  </span>`;
}

/** Reads something when a view appears: [value, error, read again]. */
export function useRead(call, inputs = []) {
  const [found, setFound] = useState([null, null]);
  const read = async () => {
    try {
      setFound([await call(), null]);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      setFound(([value]) => [value, error]);
    }
  };
  useEffect(() => {
    read();
  }, inputs);
  return [...found, read];
}
