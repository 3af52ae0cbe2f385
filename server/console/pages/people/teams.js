// Teams: who belongs together and which channels they see. A team without channels sees everything.
import { api } from "../../frame/api.js";
import { channelName } from "../../frame/channels.js";
import { t } from "../../frame/i18n.js";
import { toast } from "../../frame/overlay.js";
import { Button, Empty, Waiting, useRead } from "../../frame/parts.js";
import { html, useState } from "../../frame/ui.js";

const EVERY = "*";
const keyOf = (place) => `${place.channel}/${place.account}`;
const placeName = (place) => (place.account === EVERY ? t("teams.every", { channel: channelName(place.channel) }) : `${channelName(place.channel)} · ${place.account}`);

/** What can be chosen: each channel as a whole, its accounts where there are several, and what a team has already. */
function choices(accounts, team) {
  const all = new Map();
  for (const { channel } of accounts) all.set(`${channel}/${EVERY}`, { channel, account: EVERY });
  for (const { channel, account } of accounts) if (accounts.filter((one) => one.channel === channel).length > 1) all.set(`${channel}/${account}`, { channel, account });
  for (const place of team.places) all.set(keyOf(place), place);
  return [...all.values()];
}

function Editor({ team, people, accounts, done }) {
  const [wrong, setWrong] = useState("");
  const submit = async (event) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const places = data.getAll("place").map((key) => ({ channel: key.split("/")[0], account: key.split("/")[1] }));
    try {
      await api(team.id ? "PUT" : "POST", team.id ? `/api/teams/${team.id}` : "/api/teams", { name: data.get("name"), members: data.getAll("member"), places });
      done();
    } catch (error) {
      if (error.status === undefined) throw error;
      setWrong(error.message);
    }
  };
  const has = new Set(team.members.map((one) => one.id));
  const sees = new Set(team.places.map(keyOf));
  return html`<form class="stack" noValidate onSubmit=${submit} aria-label=${team.name || t("teams.new")}>
    <label>${t("teams.name")}<input name="name" required maxlength="100" autocomplete="off" defaultValue=${team.name} /></label>
    <fieldset class="ticks"><legend>${t("teams.members")}</legend>${people.map((one) => html`<label class="tick-line" key=${one.id}><input type="checkbox" name="member" value=${one.id} defaultChecked=${has.has(one.id)} /> ${one.name}</label>`)}</fieldset>
    <fieldset class="ticks"><legend>${t("teams.sees")}</legend>${choices(accounts, team).map((place) => html`<label class="tick-line" key=${keyOf(place)}><input type="checkbox" name="place" value=${keyOf(place)} defaultChecked=${sees.has(keyOf(place))} /> ${placeName(place)}</label>`)}</fieldset>
    <p class="soft">${t("teams.everything")}</p>${wrong && html`<p class="note bad" role="alert">${wrong}</p>`}
    <div class="acts"><button class="main" type="submit">${t("teams.save")}</button><button type="button" onClick=${done}>${t("cancel")}</button></div></form>`;
}

export function Teams() {
  const [found, error, read] = useRead(async () => {
    const [teams, people, channels] = await Promise.all([api("GET", "/api/teams"), api("GET", "/api/people"), api("GET", "/api/channels")]);
    return { teams: teams.teams, people: people.people.filter((one) => !one.disabled), accounts: channels.channels };
  });
  const [edited, edit] = useState(null);
  if (error) return html`<p class="note bad" role="alert">${error.message}</p>`;
  if (!found) return html`<${Waiting} rows=${3} />`;
  const done = async () => (edit(null), read());
  const drop = async (team) => {
    await api("DELETE", `/api/teams/${team.id}`);
    const { name, members, places } = team;
    const undo = async () => (await api("POST", "/api/teams", { name, members: members.map((one) => one.id), places }), read());
    toast(t("teams.removed", { name }), { undo });
    await read();
  };
  const editor = (team) => html`<${Editor} team=${team} people=${found.people} accounts=${found.accounts} done=${done} />`;
  const fresh = { id: "", name: "", members: [], places: [] };
  return html`<section class="card" aria-labelledby="teams-title"><header class="head"><h2 id="teams-title">${t("teams.title")}</h2>
      ${edited !== "new" && html`<button type="button" class="small" onClick=${() => edit("new")}>${t("teams.new")}</button>`}</header>
    ${edited === "new" && editor(fresh)}
    ${!found.teams.length && edited !== "new" && html`<${Empty} title=${t("teams.none")} text=${t("teams.noneNext")} picture="people" />`}
    <ul class="lines">${found.teams.map((team) => html`<li key=${team.id}>${edited === team.id ? html`<div class="what">${editor(team)}</div>` : html`
      <div class="what"><b>${team.name}</b><span>${team.members.map((one) => one.name).join(", ") || t("teams.nobody")}</span><span>${team.places.length ? team.places.map(placeName).join(", ") : t("teams.all")}</span></div>
      <div class="acts"><button type="button" class="small" onClick=${() => edit(team.id)} aria-label=${t("teams.editOf", { name: team.name })}>${t("teams.edit")}</button>
        <${Button} look="small" run=${() => drop(team)} aria-label=${t("teams.removeOf", { name: team.name })}>${t("teams.remove")}</${Button}></div>`}</li>`)}</ul></section>`;
}
