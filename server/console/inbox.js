// The list of conversations, read only.
import { ago, api, busy, byId, make } from "/console/desk.js";

const STATES = {
  bot: ["with the bot", ""],
  waiting: ["waiting", "warn"],
  claimed: ["with staff", "good"],
  closed: ["closed", ""],
};
const SPEAKERS = { customer: "", assistant: "Bot: ", staff: "Staff: ", notice: "Notice: " };
const EMPTY = {
  "": "No conversations yet. They appear here as soon as a customer writes.",
  waiting: "Nobody is waiting for a person.",
  claimed: "Staff have no open conversation.",
  bot: "The bot has no open conversation.",
};

let status = "";
let next = null;

function line(row) {
  const [label, look] = STATES[row.status] || [row.status, ""];
  const text = row.preview ? (SPEAKERS[row.preview_role] || "") + row.preview : "No messages yet";
  const owner = row.owner_name ? ` · ${row.owner_name}` : "";
  const account = row.account === "default" ? "" : ` / ${row.account}`;
  return make("li", {},
    make("div", { class: "what" },
      make("b", {}, row.customer_name || "Visitor"),
      make("span", { class: "one" }, text),
      make("span", {}, `${row.channel}${account} · ${ago(row.updated_at)}${owner}`)),
    make("span", { class: `pill ${look}` }, label));
}

async function load(cursor) {
  const query = new URLSearchParams({ limit: "20" });
  if (status) query.set("status", status);
  if (cursor) query.set("cursor", cursor);
  const page = await api("GET", `/api/conversations?${query}`);
  const lines = page.conversations.map(line);
  if (cursor) byId("inbox").append(...lines);
  else byId("inbox").replaceChildren(...lines);
  next = page.next;
  byId("inbox-more").hidden = !next;
  byId("inbox-empty").hidden = byId("inbox").children.length > 0;
  byId("inbox-empty").textContent = EMPTY[status];
}

/** Starts the list with its filter. */
export async function startInbox() {
  byId("inbox-more").addEventListener("click", (event) => busy(event.currentTarget, () => load(next)));
  const buttons = [...byId("inbox-filter").children];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      status = button.dataset.status;
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      busy(button, () => load(null));
    });
  }
  await load(null);
}
