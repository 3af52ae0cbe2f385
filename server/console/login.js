// Sign-in: email and password for a fresh session, then on to the console.
import { api, busy, byId, markFields, trouble } from "/console/desk.js";

const form = byId("form");

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const { email, password } = Object.fromEntries(new FormData(form));
  const button = form.querySelector("button");
  busy(button, async () => {
    try {
      await api("POST", "/api/session", { email, password });
    } catch (error) {
      if (error.status === 401) {
        trouble(error.message);
        form.elements.password.select();
        return;
      }
      throw error;
    }
    location.replace("/console/");
  }, (text, error) => {
    const wait = error?.retryAfter ? ` (${error.retryAfter} s)` : "";
    trouble(text && text + wait);
    markFields(form, error);
  });
});
