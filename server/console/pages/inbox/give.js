// Giving a conversation away: to a colleague, to a team's queue, or back to everybody's.
import { api } from "../../frame/api.js";
import { t } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { Dialog, announce, failed, toast } from "../../frame/overlay.js";
import { Avatar, Button, Waiting, useRead } from "../../frame/parts.js";
import { optional, person } from "../../frame/session.js";
import { classes, html, signal, useState } from "../../frame/ui.js";
import { readList, readOpen, readViews } from "./desk.js";

export const giving = signal(false);
const TONES = { online: "good", busy: "warn", away: "" };
const ORDER = ["online", "busy", "away"];

/** A dot that says whether somebody is at work; the word stands beside it for those who cannot see it. */
export const Light = ({ status }) => html`<span class=${classes("light", TONES[status])} aria-hidden="true"></span><span class="soft">${t(`presence.${status}`)}</span>`;

const read = async () => {
  const [{ people }, teams] = await Promise.all([api("GET", "/api/presence/all"), optional(() => api("GET", "/api/teams"))]);
  return { people: people.sort((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status) || a.name.localeCompare(b.name)), teams: teams?.teams || [] };
};

async function give(row, to, name, close) {
  const made = await api("POST", `/api/conversations/${row.id}/transfer`, to);
  close();
  announce(t("give.given", { name }));
  toast(t("give.given", { name }));
  const count = made.in_flight.length;
  if (count) toast(t("holder.inFlight", { n: count }));
  await Promise.all([readOpen(row.id), readList(), readViews()]);
}

/** The dialogue behind "Give to…"; a letter or two finds somebody in a long list. */
export function Give({ detail, close }) {
  const row = detail.conversation;
  const [found, error] = useRead(read);
  const [letters, setLetters] = useState("");
  const fits = (name) => name.toLowerCase().includes(letters.trim().toLowerCase());
  const others = (found?.people || []).filter((one) => one.person !== row.owner && fits(one.name));
  const teams = (found?.teams || []).filter((team) => fits(team.name));
  const act = (to, name) => () => give(row, to, name, close).catch(failed);
  return html`<${Dialog} title=${t("give.title")} close=${close}>
    <label class="give-find">${t("give.find")}<input value=${letters} onInput=${(event) => setLetters(event.currentTarget.value)} /></label>
    ${error && html`<p class="note bad" role="alert">${error.message}</p>`}${!found && !error && html`<${Waiting} rows=${3} />`}
    <h3>${t("give.people")}</h3>
    <ul class="give" role="list">${others.map((one) => html`<li key=${one.person}><${Button} look="give-row" run=${act({ person: one.person }, one.name)}>
      <${Avatar} name=${one.name} seed=${one.person} small /><span class="grow">${one.name}${one.person === person.value.id ? ` (${t("inbox.you")})` : ""}</span>
      <span class="soft">${t("give.open", { n: one.open })}</span><${Light} status=${one.status} /></${Button}></li>`)}</ul>
    ${found && others.length === 0 && html`<p class="soft">${t("give.nobody")}</p>`}
    ${teams.length > 0 && html`<h3>${t("give.teams")}</h3><ul class="give" role="list">${teams.map((team) => html`<li key=${team.id}><${Button} look="give-row" run=${act({ team: team.id }, team.name)}>
      ${icon("people", 18)}<span class="grow">${team.name}</span><span class="soft">${t("give.members", { n: team.members.length })}</span></${Button}></li>`)}</ul>`}
    <p class="give-all"><${Button} run=${act({}, t("give.queue"))}>${icon("clock", 16)} ${t("give.toQueue")}</${Button}></p>
  </${Dialog}>`;
}
