// Using a one-time link. The token stands behind the # so that no server or proxy ever logs it.
import { api, busy, byId, markFields, trouble } from "/console/desk.js";

const form = byId("form");
const token = location.hash.slice(1);
history.replaceState(null, "", location.pathname); // not in the history, not in a screenshot

const WORDS = {
  setup: ["Welcome", "You are the first here: make the admin account of this desk."],
  invite: ["Join the desk", "Choose a name and a password to accept the invitation."],
  reset: ["New password", "Choose a new password. You will be signed out everywhere else."],
};

function say(title, lead) {
  byId("title").textContent = title;
  byId("lead").textContent = lead;
}

async function look() {
  try {
    const link = await api("POST", "/api/links/look", { token });
    say(...WORDS[link.purpose]);
    const { name, email } = form.elements;
    email.value = link.email;
    email.readOnly = Boolean(link.email);
    name.value = link.name;
    byId("name-field").hidden = link.purpose === "reset";
    form.hidden = false;
    (link.purpose === "reset" ? form.elements.password : name).focus();
  } catch (error) {
    say("This link does not work", "");
    trouble(error.status === 422 ? "The link is incomplete. Copy it whole, or ask for a new one." : error.message);
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
    await api("POST", "/api/links/redeem", body);
    location.replace("/console/");
  }, (text, error) => {
    trouble(text);
    markFields(form, error);
  });
});

look();
