// The conversations behind a figure, newest first, each leading to its thread.
import { api, queryOf } from "../../frame/api.js";
import { moment, number, t } from "../../frame/i18n.js";
import { Button, Empty, Waiting, useRead } from "../../frame/parts.js";
import { href } from "../../frame/router.js";
import { html, useState } from "../../frame/ui.js";
import { keyName, lasting } from "./shown.js";

const PAGE = 25;

function Line({ row }) {
  const score = row.csat ?? row.nps;
  return html`<tr><th scope="row"><a href=${href(`/inbox/${row.conversation_id}`)}>${row.customer || t("analytics.nobody")}</a></th><td>${moment(row.opened_at)}</td><td>${keyName("channel", row.channel)}</td><td>${row.language}</td>
    <td class="n">${number(row.messages)}</td><td class="n">${row.first_response_s === null ? "–" : lasting(row.first_response_s)}</td><td>${row.handed_reason ? t(`analytics.reason.${row.handed_reason}`) : "–"}</td><td class="n">${score === null ? "–" : number(score)}</td></tr>`;
}

const HEADS = [["who"], ["began"], ["channel"], ["language"], ["messages", "n"], ["firstResponse", "n"], ["handoff"], ["score", "n"]];

/** `asked` are the period and filters, `which` and `reason` name the figure. */
export function Behind({ asked, which, reason, close }) {
  const [more, setMore] = useState([]);
  const [next, setNext] = useState(undefined);
  const query = { ...asked, which, reason, limit: PAGE };
  const key = JSON.stringify(query);
  const [first, error] = useRead(async () => (setMore([]), setNext(undefined), api("GET", `/api/analytics/conversations${queryOf(query)}`)), [key]);
  const cursor = next === undefined ? first?.next : next;
  const load = async () => {
    const page = await api("GET", `/api/analytics/conversations${queryOf({ ...query, cursor })}`);
    setMore([...more, ...page.items]);
    setNext(page.next);
  };
  const rows = [...(first?.items || []), ...more];
  return html`<section class="card" aria-labelledby="behind-title"><header class="head"><h2 id="behind-title" tabindex="-1">${t("analytics.behind", { what: t(`analytics.which.${which}`) })}</h2><button type="button" class="small" onClick=${close}>${t("analytics.hide")}</button></header>
    ${error && html`<p class="note bad" role="alert">${error.message}</p>`}${!first && !error && html`<${Waiting} rows=${4} />`}
    ${first && !rows.length && html`<${Empty} picture="analytics" title=${t("analytics.noneBehind")} text=${t("analytics.noneBehindNext")} />`}
    ${rows.length > 0 && html`<div class="table-box" tabindex="0" role="group" aria-label=${t("analytics.conversations")}><table><caption class="unseen">${t("analytics.conversations")}</caption><thead><tr>${HEADS.map(([name, look]) => html`<th key=${name} scope="col" class=${look}>${t(`analytics.head.${name}`)}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`<${Line} key=${row.case_id} row=${row} />`)}</tbody></table></div>`}
    ${cursor && html`<div class="acts"><${Button} run=${load}>${t("analytics.moreRows")}</${Button}></div>`}</section>`;
}
