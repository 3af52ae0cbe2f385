// Who did what: filters live in the URL, the file holds what they leave.
import { api, queryOf } from "../../frame/api.js";
import { iso, moment, t, word } from "../../frame/i18n.js";
import { failed } from "../../frame/overlay.js";
import { Button, Empty, Waiting, useRead } from "../../frame/parts.js";
import { patch } from "../../frame/router.js";
import { html, useEffect, useState } from "../../frame/ui.js";

const DAY_S = 86_400;
const ROWS = 50;
const seconds = (day, add = 0) => (day ? new Date(`${day}T00:00:00`).getTime() / 1000 + add : undefined);

/** The filters of the URL as the API takes them; both days belong to what is asked for. */
const wanted = ({ actor, action, target, from, to }) => ({ actor, action, target, since: seconds(from), until: seconds(to, DAY_S) });

const detail = (row) => Object.entries(row.detail).filter(([, value]) => value !== null && value !== "" && value?.length !== 0).map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`).join(", ");
const who = (row) => row.actor_name || `${word("audit.kinds", row.actor_kind)} ${row.actor_id}`;

function Filters({ query, people }) {
  const set = (event) => patch({ [event.currentTarget.name]: event.currentTarget.value.trim() }, { replace: true });
  return html`<form class="filters" role="search" aria-label=${t("audit.filter")} onSubmit=${(event) => event.preventDefault()}>
    <label>${t("audit.actor")}<select name="actor" value=${query.actor || ""} onChange=${set}><option value="">${t("audit.anybody")}</option>${people.map((one) => html`<option key=${one.id} value=${one.id}>${one.name}</option>`)}</select></label>
    <label>${t("audit.action")}<input name="action" value=${query.action || ""} onChange=${set} placeholder="session." autocomplete="off" maxlength="100" /></label>
    <label>${t("audit.target")}<input name="target" value=${query.target || ""} onChange=${set} autocomplete="off" maxlength="100" /></label>
    <label>${t("audit.from")}<input name="from" type="date" value=${query.from || ""} onChange=${set} /></label>
    <label>${t("audit.to")}<input name="to" type="date" value=${query.to || ""} onChange=${set} /></label>
    <a class="button" href=${`/api/audit/csv${queryOf(wanted(query))}`} download="audit.csv">${t("audit.csv")}</a></form>`;
}

export function Audit({ query }) {
  const [people] = useRead(() => api("GET", "/api/people"));
  const [{ rows, next, ready }, setFound] = useState({ rows: [], next: null, ready: false });
  const filters = queryOf(wanted(query));
  const read = async (cursor = "", before = []) => {
    const page = await api("GET", `/api/audit${queryOf({ ...wanted(query), limit: ROWS, cursor })}`);
    return { rows: [...before, ...page.rows], next: page.next, ready: true };
  };
  useEffect(() => {
    let current = true;
    read().then((page) => current && setFound(page), failed);
    return () => {
      current = false;
    };
  }, [filters]);
  return html`<section class="card" aria-labelledby="audit-title"><h2 id="audit-title">${t("audit.title")}</h2><${Filters} query=${query} people=${people?.people || []} />
    ${!ready && html`<${Waiting} rows=${4} />`}${ready && !rows.length && html`<${Empty} title=${t("audit.none")} text=${t("audit.noneNext")} picture="search" />`}
    ${rows.length > 0 && html`<div class="table-box" tabindex="0" role="region" aria-labelledby="audit-title"><table><thead><tr>${["at", "actor", "action", "target", "detail", "ip"].map((name) => html`<th scope="col" key=${name}>${t(`audit.${name}`)}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`<tr key=${row.id}><td><time datetime=${iso(row.at)}>${moment(row.at)}</time></td><td>${who(row)}</td><td><code>${row.action}</code></td><td>${row.target}</td><td>${detail(row)}</td><td>${row.ip}</td></tr>`)}</tbody></table></div>`}
    ${next && html`<div class="centre"><${Button} run=${async () => setFound(await read(next, rows))}>${t("more")}</${Button}></div>`}</section>`;
}
