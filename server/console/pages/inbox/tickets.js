// Tickets: those of one conversation beside it, and all of them as a view of their own.
import { api, queryOf } from "../../frame/api.js";
import { ago, t, word } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { listen } from "../../frame/live.js";
import { Dialog, failed, toast } from "../../frame/overlay.js";
import { Button, Empty, Menu, Waiting, useRead } from "../../frame/parts.js";
import { href, patch, route } from "../../frame/router.js";
import { may, person } from "../../frame/session.js";
import { classes, html, useEffect, useState } from "../../frame/ui.js";

const CATEGORIES = ["delivery", "return", "damage", "warranty", "payment", "product", "appointment", "complaint", "other"];
const ACTIONS = ["answer", "call_back", "check_delivery", "replace", "repair", "refund", "change_booking", "other"];
const PRIORITIES = ["urgent", "high", "normal", "low"];
const STATES = ["open", "closed"];

const TONES = { urgent: "bad", high: "warn" };
const choice = (name, rows, words, value, set) => html`<label>${t(`tickets.${name}`)}<select value=${value} onChange=${(event) => set(event.currentTarget.value)}>
  ${rows.map((each) => html`<option key=${each} value=${each}>${t(`${words}.${each}`)}</option>`)}</select></label>`;

/** Tickets that stay true: read again whenever one changes. */
function useTickets(filters) {
  const [found, error, again] = useRead(() => api("GET", `/api/tickets${queryOf(filters)}`), Object.values(filters));
  useEffect(() => listen(({ event }) => ["ticket", "tick", "reset"].includes(event) && again()), Object.values(filters));
  return [found?.items, error, again];
}

async function turn(ticket, step, again) {
  await api("POST", `/api/tickets/${ticket.id}/${step}`);
  again();
  const back = step === "close" ? "reopen" : "close";
  toast(t(`tickets.${step}d`, { id: ticket.id }), { undo: () => turn(ticket, back, again).catch(failed) });
}

const change = (ticket, values, again) => api("PATCH", `/api/tickets/${ticket.id}`, values).then(again);

function acts(ticket, again) {
  const mine = ticket.assignee === person.value.id;
  return [
    ticket.state === "open" ? { label: t("tickets.close"), run: () => turn(ticket, "close", again), picture: "check" } : { label: t("tickets.reopen"), run: () => turn(ticket, "reopen", again), picture: "back" },
    { label: t(mine ? "tickets.drop" : "tickets.take"), run: () => change(ticket, { assignee: mine ? "" : person.value.id }, again), picture: "person" },
    ...PRIORITIES.filter((each) => each !== ticket.priority).map((each) => ({ label: t("holder.priority", { name: word("priority", each) }), run: () => change(ticket, { priority: each }, again), picture: "alert" })),
  ];
}

function Line({ ticket, again, inside }) {
  const text = html`<span class="ticket-text"><b>${ticket.summary}</b>
    <span class="row-chips"><span class=${classes("chip", ticket.state === "open" ? "warn" : "good")}>${t(`tickets.state.${ticket.state}`)}</span>
      ${ticket.priority !== "normal" && html`<span class=${classes("chip", TONES[ticket.priority])}>${word("priority", ticket.priority)}</span>`}
      <span class="chip">${t(`tickets.categories.${ticket.category}`)}</span>${ticket.assignee_name && html`<span class="chip">${icon("person", 12)}${ticket.assignee_name}</span>`}</span>
    <span class="soft">${ticket.id} · ${inside ? "" : `${ticket.customer_name || t("visitor")} · `}${t("tickets.next", { name: t(`tickets.actions.${ticket.suggested_action}`) })} · ${ago(ticket.created_at)}</span></span>`;
  return html`<li class="ticket">${inside ? text : html`<a href=${href(`/inbox/${ticket.conversation_id}`, route.value.query)}>${text}</a>`}
    ${may("staff") && html`<${Menu} name=${t("tickets.acts", { id: ticket.id })} rows=${acts(ticket, again)} />`}</li>`;
}

function Form({ conversation, close, again }) {
  const [summary, setSummary] = useState("");
  const [category, setCategory] = useState("other");
  const [priority, setPriority] = useState("normal");
  const [action, setAction] = useState("answer");
  const save = async (event) => {
    event.preventDefault();
    try {
      await api("POST", "/api/tickets", { conversation_id: conversation, summary, category, priority, suggested_action: action });
      close();
      again();
    } catch (error) {
      failed(error);
    }
  };
  return html`<${Dialog} title=${t("tickets.new")} close=${close}><form class="ticket-form" onSubmit=${save}>
    <label>${t("tickets.summary")}<textarea required minlength="3" maxlength="1000" rows="3" value=${summary} onInput=${(event) => setSummary(event.currentTarget.value)}></textarea></label>
    ${choice("category", CATEGORIES, "tickets.categories", category, setCategory)}${choice("priority", PRIORITIES, "priority", priority, setPriority)}${choice("action", ACTIONS, "tickets.actions", action, setAction)}
    <div class="acts"><button type="submit" class="main">${t("tickets.make")}</button></div></form></${Dialog}>`;
}

/** The tickets of the open conversation. */
export function OwnTickets({ conversation }) {
  const [making, setMaking] = useState(false);
  const [tickets, , again] = useTickets({ conversation });
  if (!tickets) return null;
  return html`${tickets.length > 0 ? html`<ul class="tickets" role="list">${tickets.map((ticket) => html`<${Line} key=${ticket.id} ticket=${ticket} again=${again} inside />`)}</ul>` : html`<p class="soft">${t("tickets.noneHere")}</p>`}
    ${may("staff") && html`<${Button} look="small" run=${async () => setMaking(true)}>${t("tickets.new")}</${Button}>`}
    ${making && html`<${Form} conversation=${conversation} close=${() => setMaking(false)} again=${again} />`}`;
}

/** All tickets, in the place of the list. */
export function TicketList() {
  const { state = "open" } = route.value.query;
  const [tickets, error, again] = useTickets({ state, limit: 200 });
  return html`<section class="list" aria-label=${t("tickets.title")}>
    <header class="list-head"><h1>${t("tickets.title")}</h1><span class="grow"></span>
      <select class="sort" aria-label=${t("tickets.which")} value=${state} onChange=${(event) => patch({ state: event.currentTarget.value })}>${STATES.map((each) => html`<option key=${each} value=${each}>${t(`tickets.state.${each}`)}</option>`)}</select></header>
    ${error && html`<p class="note bad" role="alert">${error.message}</p>`}
    ${!tickets ? !error && html`<${Waiting} />` : tickets.length ? html`<ul class="tickets scroll" role="list" tabindex="0" aria-label=${t("tickets.title")}>${tickets.map((ticket) => html`<${Line} key=${ticket.id} ticket=${ticket} again=${again} />`)}</ul>`
      : html`<${Empty} picture="check" title=${t(`tickets.none.${state}`)} text=${t("tickets.noneNext")} />`}
  </section>`;
}
