// Who is the same person: what the desk suspects, what was said, and the way back.
import { api, queryOf } from "../../frame/api.js";
import { ago, t } from "../../frame/i18n.js";
import { Dialog, toast } from "../../frame/overlay.js";
import { Avatar, Button, useRead } from "../../frame/parts.js";
import { href } from "../../frame/router.js";
import { may } from "../../frame/session.js";
import { html, useState } from "../../frame/ui.js";

const SHOWN = 8;

function Choose({ person, merge, close }) {
  const [q, setQ] = useState("");
  const [found] = useRead(() => (q.trim() ? api("GET", `/api/customers${queryOf({ q: q.trim(), limit: SHOWN + 1 })}`) : Promise.resolve(null)), [q]);
  const rows = (found?.customers || []).filter((one) => one.id !== person.id).slice(0, SHOWN);
  return html`<${Dialog} title=${t("contacts.merges.choose")} close=${close}>
    <p class="soft">${t("contacts.merges.means")}</p>
    <label>${t("contacts.search")}<input type="search" value=${q} autofocus onInput=${(event) => setQ(event.currentTarget.value)} /></label>
    <ul class="lines">${rows.map((one) => html`<li key=${one.id}><${Avatar} name=${one.name} seed=${one.id} small /><div class="what"><b dir="auto">${one.name || t("visitor")}</b><span>${ago(one.said_at)} · ${t("contacts.talks", { n: one.conversations })}</span></div>
      <${Button} look="small" run=${() => merge(one)} aria-label=${t("contacts.merges.mergeOf", { name: one.name || t("visitor") })}>${t("contacts.merges.merge")}</${Button}></li>`)}</ul>
    ${q.trim() && found && !rows.length && html`<p class="soft" role="status">${t("contacts.nobody")}</p>`}</${Dialog}>`;
}

export function Merges({ person, done }) {
  const [choosing, setChoosing] = useState(false);
  const undo = async (merge) => {
    await api("POST", `/api/customers/${person.id}/unmerge`, { merge });
    await done();
  };
  const merge = async (other) => {
    const { merge: made } = await api("POST", `/api/customers/${person.id}/merge`, { other: other.id });
    setChoosing(false);
    await done();
    toast(t("contacts.merges.done", { name: other.name || t("visitor") }), { undo: () => undo(made) });
  };
  return html`${person.merges.length > 0 && html`<ul class="lines">${person.merges.map((one) => html`<li key=${one.id}><div class="what"><b dir="auto">${one.name || t("visitor")}</b>
      <span>${t(`contacts.merges.basis.${one.basis}`)} · ${ago(one.merged_at)}${one.by_name ? ` · ${one.by_name}` : ""}</span></div>
      ${may("staff") && html`<${Button} look="small" run=${() => undo(one.id)} aria-label=${t("contacts.merges.undoOf", { name: one.name || t("visitor") })}>${t("contacts.merges.undo")}</${Button}>`}</li>`)}</ul>`}
    ${person.alike.length > 0 && html`<h3>${t("contacts.merges.alike")}</h3><ul class="lines">${person.alike.map((one) => html`<li key=${one.id}><div class="what"><a href=${href(`/contacts/${one.id}`)}><b dir="auto">${one.name || t("visitor")}</b></a>
      <span>${t(`contacts.merges.basis.${one.basis}`)}</span></div>${may("staff") && html`<${Button} look="small" run=${() => merge(one)} aria-label=${t("contacts.merges.mergeOf", { name: one.name || t("visitor") })}>${t("contacts.merges.merge")}</${Button}>`}</li>`)}</ul>`}
    ${!person.merges.length && !person.alike.length && html`<p class="soft">${t("contacts.merges.none")}</p>`}
    ${may("staff") && html`<div class="acts"><button type="button" class="small" onClick=${() => setChoosing(true)}>${t("contacts.merges.choose")}</button></div>`}
    ${choosing && html`<${Choose} person=${person} merge=${merge} close=${() => setChoosing(false)} />`}`;
}
