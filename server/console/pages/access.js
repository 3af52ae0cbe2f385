// API keys, for admins, and the parts that pages about access share.
import { api } from "../frame/api.js";
import { ago, t } from "../frame/i18n.js";
import { toast } from "../frame/overlay.js";
import { Button, useRead } from "../frame/parts.js";
import { html, useState } from "../frame/ui.js";

const ROLES = ["viewer", "staff", "admin"];

export const RoleChoice = ({ value, ...more }) => html`<select value=${value} ...${more}>${ROLES.map((role) => html`<option key=${role} value=${role}>${t(`roles.${role}`)}</option>`)}</select>`;

/** A secret that is shown once, with a button that copies it. */
export const Once = ({ title, secret }) => html`<div class="once"><b>${title}</b><code tabindex="0">${secret}</code>
  <div class="acts"><${Button} look="small" run=${async () => (await navigator.clipboard.writeText(secret), toast(t("copied")))}>${t("copy")}</${Button}></div></div>`;

/** A form sent as JSON; the fields a refusal names are marked. */
export function Form({ path, done, children, label }) {
  const [wrong, setWrong] = useState("");
  const submit = async (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    for (const input of form.elements) input.removeAttribute("aria-invalid");
    try {
      const made = await api("POST", path, Object.fromEntries(new FormData(form)));
      form.reset();
      setWrong("");
      done(made);
    } catch (error) {
      if (error.status === undefined) throw error;
      for (const { field } of error.fields) form.elements[field]?.setAttribute("aria-invalid", "true");
      setWrong(error.message);
    }
  };
  return html`<form class="line-form" noValidate onSubmit=${submit} aria-label=${label}>${children}${wrong && html`<p class="note bad" role="alert">${wrong}</p>`}</form>`;
}

export function KeysCard() {
  const [found, error, read] = useRead(() => api("GET", "/api/keys"));
  const [made, setMade] = useState(null);
  const revoke = async (key) => {
    await api("DELETE", `/api/keys/${key.id}`);
    setMade(null);
    await read();
  };
  const keys = (found?.keys || []).filter((key) => key.revoked_at === null);
  return html`<section class="card" aria-labelledby="keys-title"><h2 id="keys-title">${t("apiKeys.title")}</h2>
    ${error && html`<p class="note bad" role="alert">${error.message}</p>`}
    <ul class="lines">${keys.map((key) => html`<li key=${key.id}><div class="what"><b>${key.name}</b><span>${t(`roles.${key.role}`)} · ${key.seen_at ? t("apiKeys.used", { when: ago(key.seen_at) }) : t("apiKeys.unused")}</span></div>
      <${Button} look="small" run=${() => revoke(key)} aria-label=${t("apiKeys.revokeOf", { name: key.name })}>${t("apiKeys.revoke")}</${Button}></li>`)}</ul>
    ${found && !keys.length && html`<p class="soft">${t("apiKeys.none")}</p>`}
    <${Form} path="/api/keys" label=${t("apiKeys.title")} done=${(key) => (setMade(key), read())}>
      <label>${t("apiKeys.name")}<input name="name" autocomplete="off" required maxlength="100" placeholder=${t("apiKeys.example")} /></label>
      <label>${t("people.as")}<${RoleChoice} name="role" value="viewer" /></label>
      <button class="main" type="submit">${t("apiKeys.make")}</button></${Form}>
    <div aria-live="polite">${made && html`<${Once} title=${t("apiKeys.once", { name: made.name })} secret=${made.key} />`}</div></section>`;
}
