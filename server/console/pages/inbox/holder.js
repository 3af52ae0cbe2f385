// Who holds a conversation, and the moves between assistant, people and closed.
import { api } from "../../frame/api.js";
import { channelIcon, channelName } from "../../frame/channels.js";
import { age, t, word } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { later } from "../../frame/later.js";
import { announce, failed, toast } from "../../frame/overlay.js";
import { Avatar, Button, IconButton, Menu } from "../../frame/parts.js";
import { go, href, route } from "../../frame/router.js";
import { may, person } from "../../frame/session.js";
import { classes, html } from "../../frame/ui.js";
import { block } from "./block.js";
import { beside, drafting, open, readList, readOpen } from "./desk.js";
import { giving } from "./give.js";
import { labelling } from "./labels.js";
import { nameOf } from "./list.js";
import { Due, nextDue } from "./promises.js";

const PRIORITIES = ["urgent", "high", "normal", "low"];

/** What can be done with a conversation by the signed-in person now. */
export function moves(row) {
  const mine = row.status === "claimed" && row.owner === person.value.id;
  return {
    mine,
    claim: may("staff") && (row.status === "bot" || row.status === "waiting"),
    giveBack: may("staff") && (mine || row.status === "waiting"),
    close: may("staff") && row.status !== "closed",
    give: may("staff") && row.status !== "closed" && (row.status !== "claimed" || mine || may("admin")),
    write: may("staff") && row.status !== "closed" && (row.status !== "claimed" || mine),
  };
}

async function step(id, name, body) {
  const made = await api("POST", `/api/conversations/${id}/${name}`, body);
  await Promise.all([readOpen(id), readList()]);
  return made;
}

/** Takes a conversation over; says how many sends were already under way. */
export async function claim(id) {
  const made = await step(id, "claim");
  announce(t("holder.taken"));
  const count = made?.in_flight?.length || 0;
  if (count) toast(t("holder.inFlight", { n: count }));
}

/** Returns a conversation to the assistant. */
export async function giveBack(id) {
  await step(id, "return");
  announce(t("holder.returned"));
}

/** Ends a case after the time for undoing; the list goes on at once. */
export function close(row) {
  const before = open.value;
  if (open.value?.conversation.id === row.id) open.value = { ...open.value, conversation: { ...row, status: "closed" } };
  later(t("holder.closed", { name: nameOf(row) }), () => step(row.id, "close"), () => {
    if (open.value?.conversation.id === row.id) open.value = before;
  });
}

/** Lets a conversation rest; it comes back with the customer's next message. */
export async function snooze(id) {
  await step(id, "snooze", {});
  const back = () => api("DELETE", `/api/conversations/${id}/snooze`).then(() => readOpen(id)).catch(failed);
  toast(t("holder.snoozed"), { undo: back });
}

/** Says how urgent a conversation is. */
async function urgency(id, priority) {
  await api("PUT", `/api/conversations/${id}/priority`, { priority });
  await Promise.all([readOpen(id), readList()]);
}

function state(row) {
  if (row.status === "claimed") return [row.owner === person.value.id ? t("holder.withYou") : t("holder.with", { name: row.owner_name || t("inbox.staff") }), "good", "person"];
  if (row.status === "waiting") return [t("holder.waiting", { age: age(row.waiting_since ?? row.updated_at) }), "warn", "clock"];
  if (row.status === "closed") return [t("status.closed"), "", "check"];
  return [t("holder.bot"), "", "bot"];
}

function Others({ id }) {
  const present = (beside.value[id] || []).filter((each) => Date.now() / 1000 - each.at < 30);
  if (!present.length) return null;
  const typing = present.find((each) => each.state === "typing");
  return html`<p class="note warn beside" role="status">${icon("people", 16)}${typing ? t("holder.typing", { name: typing.name }) : t("holder.beside", { names: present.map((each) => each.name).join(", ") })}</p>`;
}

/** The bar above a thread. */
export function Holder({ row, desk, promises, panel, showPanel }) {
  const able = moves(row);
  const [label, tone, picture] = state(row);
  const writing = drafting.value.has(row.id);
  const due = nextDue(promises);
  const act = (run) => () => run(row.id).catch(failed);
  return html`<header class="holder">
      <a class="icon-button back" href=${href("/inbox", route.value.query)} aria-label=${t("inbox.back")} title=${t("inbox.back")}>${icon("back")}</a>
      <${Avatar} name=${nameOf(row)} seed=${row.id} />
      <div class="holder-name"><h1>${nameOf(row)}</h1><p>${icon(channelIcon(row.channel), 13)}<span class="channel-word">${channelName(row.channel)}${row.account === "default" ? "" : ` · ${row.account}`}</span>
        <span class=${classes("chip state", tone)} title=${row.reason ? word("reason", row.reason) : label}>${icon(picture, 12)}<span>${label}</span></span>
        ${writing && html`<span class="chip state writing">${t("holder.writing")}</span>`}${due && html`<${Due} at=${due.due_at} kind=${due.kind} />`}
        ${promises?.team_name && html`<span class="chip">${icon("people", 12)}${promises.team_name}</span>`}${["high", "urgent"].includes(desk.priority) && html`<span class=${classes("chip", desk.priority === "urgent" ? "bad" : "warn")}>${word("priority", desk.priority)}</span>`}</p></div>
      <div class="acts">
        ${able.claim && html`<${Button} look="main" run=${() => claim(row.id)} aria-keyshortcuts="t">${t("holder.claim")} <kbd>T</kbd></${Button}>`}
        ${able.giveBack && html`<${Button} run=${() => giveBack(row.id)} aria-keyshortcuts="b">${t("holder.giveBack")} <kbd>B</kbd></${Button}>`}
        ${able.close && html`<${Button} run=${() => close(row)} aria-keyshortcuts="e">${t("holder.close")} <kbd>E</kbd></${Button}>`}
        <${Menu} name=${t("more")} rows=${[
          able.give && { label: t("give.title"), run: async () => (giving.value = true), picture: "people", keys: "a" },
          able.close && { label: t("holder.snooze"), run: act(snooze), picture: "clock", keys: "s" },
          may("staff") && { label: t("labels.choose"), run: async () => (labelling.value = true), picture: "label", keys: "l" },
          ...(may("staff") ? PRIORITIES.map((each) => ({ label: t("holder.priority", { name: word("priority", each) }), run: () => urgency(row.id, each), picture: each === desk.priority ? "check" : "alert" })) : []),
          may("staff") && { label: t(row.banned_at ? "block.undo" : "block.do"), run: () => block(row), picture: "power", danger: !row.banned_at },
          { label: t("holder.copy"), run: async () => (await navigator.clipboard.writeText(location.href), toast(t("copied"))), picture: "file" },
          { label: t("holder.next"), run: () => go("/inbox", route.value.query), picture: "list" },
        ]} />
        <${IconButton} picture="panel" look=${panel ? "on" : ""} name=${t("customer.panel")} aria-pressed=${panel} onClick=${showPanel} />
      </div>
    </header><${Others} id=${row.id} />`;
}
