// Using a one-time link. The token stands behind the # so that no server or proxy ever logs it.
import { api, busy, byId, handOver, markFields, open, say, trouble } from "/console/desk.js";

const form = byId("form");
const token = location.hash.slice(1);
history.replaceState(null, "", location.pathname); // not in the history, not in a screenshot

async function look() {
  try {
    const link = await api("POST", "/api/links/look", { token });
    say("title", `${link.purpose}.title`);
    say("lead", `${link.purpose}.lead`);
    const { name, email } = form.elements;
    email.value = link.email;
    email.readOnly = Boolean(link.email);
    name.value = link.name;
    byId("name-field").hidden = link.purpose === "reset";
    form.hidden = false;
    (link.purpose === "reset" ? form.elements.password : name).focus();
  } catch (error) {
    say("title", "broken.title");
    say("lead", "");
    trouble(error);
    byId("elsewhere").hidden = false;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const { name, email, password } = Object.fromEntries(new FormData(form));
  const body = { token, password };
  if (name.trim()) body.name = name;
  if (email.trim()) body.email = email;
  busy(byId("submit"), async () => {
    const found = await api("POST", "/api/links/redeem", body);
    if (found.step) handOver(found);
    else location.replace("/console/");
  }, (what) => {
    trouble(what);
    markFields(form, what);
  });
});

await open();
look();
