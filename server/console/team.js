// People, API keys and one's own sessions.
import { act, ago, api, busy, byId, make, markFields, once, trouble } from "/console/desk.js";

const ROLES = [["viewer", "Viewer"], ["staff", "Staff"], ["admin", "Admin"]];

/** A link's whole address, also where the server does not know its public one. */
const absolute = (url) => new URL(url, location.origin).href;

function roleChoice(person) {
  const choice = make("select", { "aria-label": `Role of ${person.name}` },
    ...ROLES.map(([value, label]) => make("option", { value, selected: value === person.role }, label)));
  choice.addEventListener("change", () =>
    busy(choice, async () => {
      try {
        await api("PATCH", `/api/people/${person.id}`, { role: choice.value });
      } finally {
        await readPeople();
      }
    }));
  return choice;
}

function personLine(person) {
  const seen = person.seen_at ? `active ${ago(person.seen_at)}` : "not signed in";
  const toggle = act(person.disabled ? "Enable" : "Disable", `${person.disabled ? "Enable" : "Disable"} ${person.name}`, async () => {
    await api("PATCH", `/api/people/${person.id}`, { disabled: !person.disabled });
    await readPeople();
  });
  const reset = act("Reset link", `Make a password reset link for ${person.name}`, async () => {
    const link = await api("POST", `/api/people/${person.id}/reset`);
    byId("people-note").replaceChildren(once(`Password reset link for ${person.name}, works once`, absolute(link.url)));
  });
  return make("li", { class: person.disabled ? "gone" : "" },
    make("div", { class: "what" }, make("b", {}, person.name), make("span", {}, `${person.email} · ${person.disabled ? "disabled" : seen}`)),
    make("div", { class: "acts" }, person.disabled ? "" : roleChoice(person), person.disabled ? "" : reset, toggle));
}

async function readPeople() {
  const { people } = await api("GET", "/api/people");
  byId("people").replaceChildren(...people.map(personLine));
}

function keyLine(key) {
  const used = key.seen_at ? `used ${ago(key.seen_at)}` : "never used";
  const revoke = act("Revoke", `Revoke the key ${key.name}`, async () => {
    await api("DELETE", `/api/keys/${key.id}`);
    byId("keys-note").replaceChildren();
    await readKeys();
  });
  return make("li", {},
    make("div", { class: "what" }, make("b", {}, key.name), make("span", {}, `${key.role} · ${used}`)), revoke);
}

async function readKeys() {
  const { keys } = await api("GET", "/api/keys");
  const live = keys.filter((key) => key.revoked_at === null);
  byId("keys").replaceChildren(...live.map(keyLine));
  byId("keys-empty").hidden = live.length > 0;
}

const BROWSERS = [["Edg/", "Edge"], ["OPR/", "Opera"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]];
const SYSTEMS = [["iPhone", "iPhone"], ["iPad", "iPad"], ["Android", "Android"], ["Windows", "Windows"], ["Mac OS", "Mac"], ["Linux", "Linux"]];

/** A browser's name for people; the raw text when it is unknown. */
function device(text) {
  const find = (table) => table.find(([mark]) => text.includes(mark))?.[1];
  const [browser, system] = [find(BROWSERS), find(SYSTEMS)];
  return browser ? [browser, system].filter(Boolean).join(" on ") : text || "Unknown browser";
}

function sessionLine(session) {
  const end = act("Sign out", `Sign out ${device(session.device)}`, async () => {
    await api("DELETE", `/api/sessions/${session.id}`);
    await readSessions();
  });
  return make("li", {},
    make("div", { class: "what" }, make("b", {}, device(session.device)), make("span", {}, `${session.ip} · ${ago(session.seen_at)}`)),
    session.current ? make("span", { class: "pill good" }, "this browser") : end);
}

async function readSessions() {
  const { sessions } = await api("GET", "/api/sessions");
  byId("sessions").replaceChildren(...sessions.map(sessionLine));
}

/** Sends a form as JSON; `done` gets the answer. */
function submit(form, path, done) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(form.querySelector("button"), async () => {
      const answer = await api("POST", path, Object.fromEntries(new FormData(form)));
      form.reset();
      await done(answer);
    }, (text, error) => {
      trouble(text);
      markFields(form, error);
    });
  });
}

/** Starts the cards; people and keys are for admins only. */
export async function startTeam(person) {
  const reads = [readSessions()];
  if (person.role === "admin") {
    byId("people-card").hidden = byId("keys-card").hidden = false;
    submit(byId("invite"), "/api/people", (link) =>
      byId("people-note").replaceChildren(once("Invitation link, works once", absolute(link.url))));
    submit(byId("key-form"), "/api/keys", async (key) => {
      byId("keys-note").replaceChildren(once(`Key “${key.name}”, shown only now`, key.key));
      await readKeys();
    });
    reads.push(readPeople(), readKeys());
  }
  await Promise.all(reads);
}
