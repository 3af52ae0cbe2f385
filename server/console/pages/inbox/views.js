// The first column: views with their counts, then channels, labels and saved filters.
import { channelIcon, channelName } from "../../frame/channels.js";
import { age, number, t } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { href, route } from "../../frame/router.js";
import { IconButton } from "../../frame/parts.js";
import { classes, html } from "../../frame/ui.js";
import { FILTERS, TICKETS, filters, labels, teams, views } from "./desk.js";
import { Keep, keeping, leaving } from "./keep.js";

const PICTURES = { mine: "person", unassigned: "inbox", all: "list", mentions: "contacts", bot: "bot", waiting: "clock", snoozed: "snooze", closed: "check" };
const STANDING = Object.keys(PICTURES);
const SHOWN = ["view", "channel", "account", "label", "team", "q"]; // what tells one line of the column from another

function Line({ query, picture, label, count, alarm, colour, note, names = SHOWN, children }) {
  const now = filters();
  const wanted = { view: "all", ...query };
  const current = names.every((name) => (now[name] || (name === "view" ? "all" : "")) === (wanted[name] || ""));
  return html`<li><a href=${href("/inbox", query)} aria-current=${current ? "true" : undefined}>
    ${colour ? html`<span class="swatch" style=${{ background: colour }}></span>` : icon(picture, 16)}<span class="grow">${label}</span>
    ${note && html`<span class="count alarm">${note}</span>`}${count > 0 && html`<span class=${classes("count", alarm && "alarm")}>${number(count)}</span>`}</a>${children}</li>`;
}

const Group = ({ title, children }) => html`<section class="view-group"><h2>${title}</h2><ul>${children}</ul></section>`;

function Saved({ rows }) {
  const line = (one) => html`<${Line} key=${one.id} query=${one.query} picture="search" label=${one.name} names=${FILTERS}>
    ${one.mine && html`<${IconButton} look="small" picture="edit" name=${t("views.changeOf", { name: one.name })} onClick=${() => (keeping.value = one)} />`}</${Line}>`;
  return html`<section class="view-group saved"><h2>${t("inbox.saved")}</h2><ul>${rows.map(line)}</ul>
    <button type="button" class="tiny" disabled=${filters().view === TICKETS} onClick=${() => (keeping.value = {})}>${icon("check", 14)}${t("views.keep")}</button></section>`;
}

export function Views() {
  const { views: counts = {}, oldest = null, channels = [], saved = [] } = views.value || {};
  const { view } = filters();
  return html`<nav class="views" aria-label=${t("inbox.views.title")}>
    <ul>${STANDING.map((key) => html`<${Line} key=${key} query=${{ view: key }} picture=${PICTURES[key]} label=${t(`inbox.views.${key}`)} count=${counts[key]}
      alarm=${key === "waiting"} note=${key === "waiting" && oldest ? age(oldest) : ""} />`)}
      <${Line} query=${{ view: TICKETS }} picture="note" label=${t("tickets.title")} /></ul>
    ${channels.length > 0 && html`<${Group} title=${t("inbox.channels")}>${channels.map(({ channel, account, open }) => html`<${Line} key=${channel + account} query=${{ view: view || "all", channel, account }}
      picture=${channelIcon(channel)} label=${account === "default" ? channelName(channel) : `${channelName(channel)} / ${account}`} count=${open} />`)}</${Group}>`}
    ${teams.value.length > 0 && html`<${Group} title=${t("give.teams")}>${teams.value.map((team) => html`<${Line} key=${team.id} query=${{ view: view || "all", team: team.id }} picture="people" label=${team.name} />`)}</${Group}>`}
    ${labels.value.length > 0 && html`<${Group} title=${t("inbox.labels")}>${labels.value.map((label) => html`<${Line} key=${label.id} query=${{ view: view || "all", label: label.id }}
      colour=${label.colour} label=${label.name} count=${label.open} />`)}</${Group}>`}
    <${Saved} rows=${saved.filter((one) => !leaving.value.has(one.id))} />
    ${keeping.value && html`<${Keep} view=${keeping.value} close=${() => (keeping.value = null)} />`}
  </nav>`;
}

/** The same choice for narrow screens. */
export const ViewChoice = ({ choose }) => html`<select class="view-choice" aria-label=${t("inbox.views.title")} value=${route.value.query.view || "all"} onChange=${(event) => choose(event.currentTarget.value)}>
  <option value=${TICKETS}>${t("tickets.title")}</option>${STANDING.map((key) => html`<option key=${key} value=${key}>${t(`inbox.views.${key}`)}${views.value?.views[key] ? ` (${number(views.value.views[key])})` : ""}</option>`)}</select>`;
