// Sign-in: email and password, a second step where there is one, then on to the console under a fresh session.
import { api, busy, byId, handedOver, markFields, onward, open, say, trouble } from "/console/desk.js";

const form = byId("form");
const second = byId("second");
const SVG = "http://www.w3.org/2000/svg";
let ticket = "";

function shape(name, values) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(values)) node.setAttribute(key, value);
  return node;
}

function draw({ side, path, secret }) {
  byId("qr").setAttribute("viewBox", `0 0 ${side} ${side}`);
  byId("qr").replaceChildren(shape("rect", { width: side, height: side, fill: "#fff" }), shape("path", { d: path, fill: "#000" }));
  byId("secret").textContent = secret;
}

/** Shows the second step; an app that is still missing is set up on the way. */
async function ask(step) {
  ticket = step.ticket;
  if (step.step === "enrol") draw(await api("POST", "/api/session/enrol", { ticket }));
  say("title", `${step.step}.title`);
  say("lead", `${step.step}.lead`);
  say("hint", `${step.step}.hint`);
  byId("enrol").hidden = step.step !== "enrol";
  form.hidden = byId("forgot").hidden = true;
  second.hidden = false;
  second.elements.code.focus();
}

function restart() {
  ticket = "";
  second.reset();
  second.hidden = true;
  form.hidden = byId("forgot").hidden = false;
  say("title", "login.title");
  form.elements.password.value = "";
  form.elements[form.elements.email.value ? "password" : "email"].focus();
}

/** Goes on, after the recovery codes were seen. */
function enter(codes = []) {
  if (!codes.length) return location.replace(onward());
  say("title", "kept.title");
  byId("codes").replaceChildren(...codes.map((code) => {
    const line = document.createElement("li");
    line.append(document.createElement("code"));
    line.firstChild.textContent = code;
    return line;
  }));
  second.hidden = true;
  byId("kept").hidden = false;
  byId("onward").focus();
  return undefined;
}

/** Says what was wrong, at the line for that and at the fields. */
const told = (place) => (what) => {
  trouble(what);
  markFields(place, what);
};

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const { email, password } = Object.fromEntries(new FormData(form));
  busy(form.querySelector("button"), async () => {
    try {
      const found = await api("POST", "/api/session", { email, password });
      await (found.step ? ask(found) : enter());
    } catch (error) {
      if (error.status !== 401) throw error;
      trouble(error);
      form.elements.password.select();
    }
  }, told(form));
});

second.addEventListener("submit", (event) => {
  event.preventDefault();
  const { code } = Object.fromEntries(new FormData(second));
  busy(second.querySelector("button"), async () => {
    try {
      enter((await api("POST", "/api/session/code", { ticket, code })).recovery_codes);
    } catch (error) {
      if (error.status !== 401) throw error;
      if (error.problem.step !== "code") restart();
      trouble(error);
      if (!second.hidden) second.elements.code.select();
    }
  }, told(second));
});

byId("again").addEventListener("click", () => (trouble(""), restart()));
byId("onward").addEventListener("click", () => enter());

await open();
const brought = handedOver();
if (brought) ask(brought).catch((error) => (restart(), trouble(error)));
else form.elements.email.focus();
