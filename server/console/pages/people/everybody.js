// Everybody who may sign in, what an admin does about it, invitations, and who is alerted.
import { api } from "../../frame/api.js";
import { ago, number, t } from "../../frame/i18n.js";
import { toast } from "../../frame/overlay.js";
import { Avatar, Button, Menu, Waiting, useRead } from "../../frame/parts.js";
import { person as self } from "../../frame/session.js";
import { classes, html, useState } from "../../frame/ui.js";
import { Form, Once, RoleChoice } from "../access.js";
import { SessionRows } from "./account.js";

function Sessions({ person, close }) {
  const [found, error] = useRead(() => api("GET", `/api/people/${person.id}/sessions`), [person.id]);
  return html`<section class="card" aria-label=${t("people.sessionsOf", { name: person.name })}><header class="head"><h2>${t("people.sessionsOf", { name: person.name })}</h2><button type="button" class="small" onClick=${close}>${t("close")}</button></header>
    ${error && html`<p class="note bad" role="alert">${error.message}</p>`}${!found && !error && html`<${Waiting} rows=${1} />`}
    ${found && (found.sessions.length ? html`<${SessionRows} rows=${found.sessions} />` : html`<p class="soft">${t("people.nowhere")}</p>`)}</section>`;
}

function Person({ one, act, show, setLink }) {
  const path = `/api/people/${one.id}`;
  const reset = async () => {
    const made = await api("POST", `${path}/reset`);
    setLink([t("people.resetLink", { name: one.name }), made.url]);
  };
  const rows = [
    { label: t("people.sessions"), run: async () => show(one), picture: "web" },
    !one.disabled && { label: t("people.reset"), run: reset, picture: "edit" },
    { label: t("people.signOut"), run: () => act(() => api("DELETE", `${path}/sessions`), t("people.signedOut", { name: one.name })), picture: "door" },
    one.second_factor && { label: t("people.dropFactor"), run: () => act(() => api("DELETE", `${path}/second-factor`), t("people.factorDropped", { name: one.name })), picture: "power" },
    one.locked_s > 0 && { label: t("people.unlock"), run: () => act(() => api("DELETE", `${path}/lock`), t("people.unlocked", { name: one.name })), picture: "check" },
    { label: t(one.disabled ? "people.enable" : "people.disable"), run: () => act(() => api("PATCH", path, { disabled: !one.disabled })), picture: one.disabled ? "check" : "close", danger: !one.disabled },
  ];
  const seen = one.disabled ? t("people.disabled") : one.seen_at ? t("people.active", { when: ago(one.seen_at) }) : t("people.never");
  return html`<li class=${classes(one.disabled && "gone")}><${Avatar} name=${one.name} seed=${one.id} small />
    <div class="what"><b>${one.name}${one.id === self.value.id ? ` (${t("inbox.you")})` : ""}</b><span>${one.email} · ${seen}</span></div>
    ${one.second_factor && html`<span class="chip good">${t("people.twoSteps")}</span>`}${one.locked_s > 0 && html`<span class="chip warn">${t("people.locked", { n: Math.ceil(one.locked_s) })}</span>`}
    <div class="acts"><${RoleChoice} value=${one.role} disabled=${one.disabled} aria-label=${t("people.roleOf", { name: one.name })} onChange=${(event) => act(() => api("PATCH", path, { role: event.currentTarget.value }))} />
      <${Menu} name=${t("people.actions", { name: one.name })} rows=${rows} /></div></li>`;
}

function Invitations({ rows, act }) {
  if (!rows.length) return null;
  return html`<section class="card" aria-labelledby="invitations-title"><h2 id="invitations-title">${t("people.invitations")}</h2>
    <ul class="lines">${rows.map((one) => html`<li key=${one.id}><div class="what"><b>${one.email}</b><span>${t(`roles.${one.role}`)} · ${t("people.expires", { when: ago(one.expires_at) })}</span></div>
      <${Button} look="small" run=${() => act(() => api("DELETE", `/api/invitations/${one.id}`), t("people.uninvited"))} aria-label=${t("people.uninviteOf", { name: one.email })}>${t("people.uninvite")}</${Button}></li>`)}</ul></section>`;
}

function Alerts() {
  const [found] = useRead(() => api("GET", "/api/alerts"));
  if (!found) return null;
  const test = async () => {
    await api("POST", "/api/alerts/test");
    toast(t("alerts.sent"));
  };
  const lead = found.after_s ? t("alerts.after", { n: Math.round(found.after_s) }) : t("alerts.never");
  return html`<section class="card" aria-labelledby="alerts-title"><h2 id="alerts-title">${t("alerts.title")}</h2><p class="soft">${lead}</p>
    <ul class="lines"><li><div class="what"><b>${t("alerts.letters")}</b><span>${found.emails.join(", ") || t("alerts.nobody")}${found.mail === "folder" ? ` · ${t("alerts.folder")}` : ""}</span></div>
      ${found.emails.length > 0 && html`<${Button} look="small" run=${test}>${t("alerts.test")}</${Button}>`}</li>
      <li><div class="what"><b>${t("alerts.webhook")}</b><span>${t(found.webhook ? "alerts.on" : "alerts.off")}</span></div></li>
      <li><div class="what"><b>${t("alerts.latest")}</b><span>${found.alerts.length ? `${number(found.alerts.length)} · ${ago(found.alerts[0].created_at)}` : t("alerts.none")}</span></div></li></ul></section>`;
}

export function Everybody() {
  const [found, error, read] = useRead(async () => {
    const [people, open] = await Promise.all([api("GET", "/api/people"), api("GET", "/api/invitations")]);
    return { ...people, ...open };
  });
  const [link, setLink] = useState(null);
  const [shown, show] = useState(null);
  const act = async (call, done) => {
    try {
      await call();
      if (done) toast(done);
    } catch (trouble) {
      if (trouble.status === undefined) throw trouble;
      toast(trouble.message, { tone: "bad" });
    } finally {
      await read();
    }
  };
  return html`<div class="cards"><div class="column">
    <section class="card" id="people" aria-labelledby="people-title"><h2 id="people-title">${t("people.title")}</h2>
      ${error && html`<p class="note bad" role="alert">${error.message}</p>`}${!found && !error && html`<${Waiting} rows=${3} />`}
      <ul class="lines">${(found?.people || []).map((one) => html`<${Person} key=${one.id} one=${one} act=${act} show=${show} setLink=${setLink} />`)}</ul></section>
    ${shown && html`<${Sessions} person=${shown} close=${() => show(null)} />`}</div>
    <div class="column"><section class="card" aria-labelledby="invite-title"><h2 id="invite-title">${t("people.invite")}</h2>
      <${Form} path="/api/people" label=${t("people.invite")} done=${(made) => (setLink([t("people.inviteLink"), made.url]), read())}>
        <label>${t("people.email")}<input name="email" type="email" autocomplete="off" required placeholder="ana@example.com" /></label>
        <label>${t("people.as")}<${RoleChoice} name="role" value="staff" /></label>
        <button class="main" type="submit">${t("people.makeLink")}</button></${Form}>
      <div id="people-note" aria-live="polite">${link && html`<${Once} title=${link[0]} secret=${new URL(link[1], location.origin).href} />`}</div></section>
      <${Invitations} rows=${found?.invitations || []} act=${act} /><${Alerts} /></div></div>`;
}
