// The home page: who is here, then each card by itself, so that one that fails does not take the others along.
import { api, busy, byId, me, trouble } from "/console/desk.js";
import { startInbox } from "/console/inbox.js";
import { startState } from "/console/state.js";
import { startTeam } from "/console/team.js";

const ROLES = { admin: "Admin", staff: "Staff", viewer: "Viewer" };

async function start() {
  let person;
  try {
    person = await me();
  } catch (error) {
    if (error.status === 401) {
      location.replace("/console/login");
      return;
    }
    byId("main").hidden = false;
    trouble(error.message);
    return;
  }
  byId("who-name").textContent = person.name;
  byId("who-role").textContent = ROLES[person.role];
  byId("main").hidden = false;
  byId("sign-out").addEventListener("click", (event) =>
    busy(event.currentTarget, async () => {
      await api("DELETE", "/api/session");
      location.replace("/console/login");
    }));
  const cards = await Promise.allSettled([startState(person), startInbox(), startTeam(person)]);
  const failed = cards.find((card) => card.status === "rejected");
  if (failed) trouble(failed.reason.message);
}

start();
