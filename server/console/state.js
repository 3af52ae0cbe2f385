// The service's state and the bot switch, refreshed while the page is visible.
import { ago, api, busy, byId, make } from "/console/desk.js";

const EVERY_MS = 5000;

function showSwitch(state, mayChange) {
  const card = byId("switch");
  card.classList.toggle("off", state.silent);
  card.classList.toggle("on", !state.silent);
  const title = state.silent ? "The bot is off" : "The bot is on";
  if (byId("switch-title").textContent !== title) byId("switch-title").textContent = title;
  const places = state.rows.filter((row) => row.silent && row.channel !== "*");
  const named = places.map((row) => (row.account === "*" ? row.channel : `${row.channel} / ${row.account}`));
  const everywhere = state.rows.find((row) => row.channel === "*" && row.account === "*");
  const since = everywhere ? ` Changed ${ago(everywhere.changed_at)}.` : "";
  let detail = state.silent ? "Customers wait for staff; nothing is answered automatically." : "It answers customers by itself.";
  if (!state.silent && named.length) detail = `It answers customers, but is off for ${named.join(", ")}.`;
  byId("switch-detail").textContent = detail + since;
  const button = byId("switch-button");
  button.hidden = !mayChange;
  button.className = state.silent ? "main" : "danger";
  button.textContent = state.silent ? "Turn the bot on" : "Turn the bot off";
  button.dataset.silent = String(state.silent);
}

async function readState() {
  const pill = byId("state-pill");
  let body = {};
  let ok = false;
  try {
    const answer = await fetch("/readyz");
    ok = answer.ok;
    body = await answer.json().catch(() => ({}));
  } catch {
    body = { reasons: { Connection: "The server cannot be reached." } };
  }
  const notes = pairs(body.notes).some(([, text]) => text !== "ready");
  pill.className = `pill ${ok ? (notes ? "warn" : "good") : "bad"}`;
  pill.textContent = ok ? (notes ? "ready, with a note" : "ready") : "not ready";
  const list = byId("state");
  const lines = describe(body, ok);
  list.replaceChildren(...lines.map(([name, text]) =>
    make("li", {}, make("div", { class: "what" }, make("b", {}, name), text ? make("span", {}, text) : ""))));
}

/** Lines of the service card: what keeps it from being ready, then what is worth knowing. */
function describe(body, ok) {
  const lines = [...pairs(body.reasons), ...pairs(body.notes)];
  if (lines.length) return lines;
  return [[ok ? "Everything works" : "Not ready yet", ok ? "Messages are taken in and answered." : "No reason was given."]];
}

const TITLES = { model: "Model", store: "Database", server: "Server" };

function pairs(found) {
  const entries = Array.isArray(found) ? found.map((text) => ["", text]) : Object.entries(found || {});
  return entries.filter(([, text]) => text).map(([name, text]) => [TITLES[name] || name, plain(text)]);
}

const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));

/** Starts both cards and keeps them fresh. */
export async function startState(person) {
  const mayChange = person.role !== "viewer";
  const readSwitch = async () => showSwitch(await api("GET", "/api/switch"), mayChange);
  byId("switch-button").addEventListener("click", (event) => {
    const silent = event.currentTarget.dataset.silent !== "true";
    busy(event.currentTarget, async () =>
      showSwitch(await api("PUT", "/api/switch", { channel: "*", account: "*", silent }), mayChange));
  });
  setInterval(() => {
    if (document.visibilityState !== "visible") return;
    readState();
    readSwitch().catch(() => {}); // the next round tries again; the service card says what is wrong
  }, EVERY_MS);
  await Promise.all([readState(), readSwitch()]);
}
