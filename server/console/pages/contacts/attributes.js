// What staff call a customer and note about them.
import { api } from "../../frame/api.js";
import { t } from "../../frame/i18n.js";
import { failed, toast } from "../../frame/overlay.js";
import { Button, IconButton } from "../../frame/parts.js";
import { may } from "../../frame/session.js";
import { html, useState } from "../../frame/ui.js";

const MOST = 30;

export function Attributes({ person, done }) {
  const [rows, setRows] = useState(null); // null: only shown
  const [name, setName] = useState(person.name);
  const shown = Object.entries(person.attributes);
  const edit = () => (setName(person.name), setRows(shown.length ? shown.map(([key, text]) => ({ key, text })) : [{ key: "", text: "" }]));
  const change = (index, part) => (event) => setRows(rows.map((row, at) => (at === index ? { ...row, [part]: event.currentTarget.value } : row)));
  const save = async (event) => {
    event.preventDefault();
    const kept = rows.filter((row) => row.key.trim());
    try {
      await api("PUT", `/api/customers/${person.id}`, { name: name.trim(), attributes: Object.fromEntries(kept.map((row) => [row.key.trim(), row.text.trim()])) });
      setRows(null);
      toast(t("contacts.saved"));
      await done();
    } catch (error) {
      failed(error);
    }
  };
  if (!rows) {
    return html`${shown.length ? html`<dl class="facts">${shown.map(([key, text]) => html`<div class="fact" key=${key}><dt>${key}</dt><dd dir="auto">${text}</dd></div>`)}</dl>` : html`<p class="soft">${t("contacts.noAttributes")}</p>`}
      ${may("staff") && html`<div class="acts"><button type="button" class="small" onClick=${edit}>${t("contacts.edit")}</button></div>`}`;
  }
  return html`<form class="attributes" onSubmit=${save}>
    <label>${t("contacts.name")}<input name="name" value=${name} maxlength="100" autocomplete="off" onInput=${(event) => setName(event.currentTarget.value)} /></label>
    <fieldset><legend class="unseen">${t("contacts.attributes")}</legend>${rows.map((row, index) => html`<div class="attribute" key=${index}>
      <input aria-label=${t("contacts.attributeName", { n: index + 1 })} placeholder=${t("contacts.attributeExample")} value=${row.key} maxlength="60" onInput=${change(index, "key")} />
      <input aria-label=${t("contacts.attributeText", { n: index + 1 })} value=${row.text} maxlength="300" onInput=${change(index, "text")} />
      <${IconButton} picture="close" look="small" name=${t("contacts.dropAttribute", { n: index + 1 })} onClick=${() => setRows(rows.filter((_, at) => at !== index))} /></div>`)}</fieldset>
    <div class="acts"><button type="submit" class="main">${t("contacts.save")}</button><button type="button" onClick=${() => setRows(null)}>${t("cancel")}</button>
      ${rows.length < MOST && html`<${Button} look="text" run=${async () => setRows([...rows, { key: "", text: "" }])}>${t("contacts.addAttribute")}</${Button}>`}</div></form>`;
}
