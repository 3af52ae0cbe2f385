// Which labels a conversation carries; a label that is missing is made on the spot.
import { api } from "../../frame/api.js";
import { t } from "../../frame/i18n.js";
import { Dialog, failed } from "../../frame/overlay.js";
import { html, signal, useState } from "../../frame/ui.js";
import { labels, readList, readOpen, readViews } from "./desk.js";

const COLOURS = ["#2a5bd7", "#12704a", "#874a00", "#b3261e", "#6d3bb8", "#0b6e83", "#6b7280"];
export const labelling = signal(false);

export function Labels({ detail, close }) {
  const { id } = detail.conversation;
  const [carried, setCarried] = useState(new Set(detail.desk.labels));
  const [name, setName] = useState("");
  const save = async (chosen) => {
    setCarried(chosen);
    await api("PUT", `/api/conversations/${id}/labels`, { labels: [...chosen] });
    await Promise.all([readOpen(id), readList(), readViews()]);
  };
  const toggle = (label) => {
    const chosen = new Set(carried);
    chosen[carried.has(label) ? "delete" : "add"](label);
    save(chosen).catch(failed);
  };
  const add = async (event) => {
    event.preventDefault();
    if (!name.trim()) return;
    try {
      const same = labels.value.find((each) => each.name.toLowerCase() === name.trim().toLowerCase());
      const made = same || await api("POST", "/api/labels", { name: name.trim(), colour: COLOURS[labels.value.length % COLOURS.length] });
      setName("");
      await save(new Set([...carried, made.id]));
    } catch (error) {
      failed(error);
    }
  };
  return html`<${Dialog} title=${t("labels.title")} close=${close}>
    <ul class="ticks">${labels.value.map((label) => html`<li key=${label.id}><label class="tick-line"><input type="checkbox" checked=${carried.has(label.id)} onChange=${() => toggle(label.id)} />
      <span class="swatch" style=${{ background: label.colour }}></span>${label.name}</label></li>`)}</ul>
    ${labels.value.length === 0 && html`<p class="soft">${t("labels.none")}</p>`}
    <form class="line-form two" onSubmit=${add}><label>${t("labels.new")}<input value=${name} maxlength="100" onInput=${(event) => setName(event.currentTarget.value)} /></label><button type="submit">${t("labels.add")}</button></form>
  </${Dialog}>`;
}
