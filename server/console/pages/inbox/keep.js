// Saved views: the filters of the address under a name, kept, renamed and removed, each with a way back.
import { api } from "../../frame/api.js";
import { t } from "../../frame/i18n.js";
import { later } from "../../frame/later.js";
import { Dialog, failed, toast } from "../../frame/overlay.js";
import { may } from "../../frame/session.js";
import { html, signal, useState } from "../../frame/ui.js";
import { filters, readViews } from "./desk.js";

const LONGEST = 100; // characters of a name
export const keeping = signal(null); // a saved view of one's own that is changed, or {} for a new one
export const leaving = signal(new Set()); // ids of views that are about to be removed

/** The filters as they stand, without those that filter nothing. */
const chosen = () => Object.fromEntries(Object.entries(filters()).filter(([, value]) => value));

/** Keeps one under other words; what it was before can be put back. */
async function change(before, after) {
  const put = ({ name, query, shared }) => api("PUT", `/api/views/${before.id}`, { name, query, shared }).then(readViews);
  await put(after);
  toast(t("views.changed", { name: after.name }), { undo: () => put(before).catch(failed) });
}

async function add(view) {
  const made = await api("POST", "/api/views", view);
  await readViews();
  toast(t("views.kept", { name: view.name }), { undo: () => api("DELETE", `/api/views/${made.id}`).then(readViews).catch(failed) });
}

function remove(view) {
  const mark = (gone) => {
    const ids = new Set(leaving.value);
    ids[gone ? "add" : "delete"](view.id);
    leaving.value = ids;
  };
  mark(true);
  later(t("views.removed", { name: view.name }), () => api("DELETE", `/api/views/${view.id}`).then(readViews).then(() => mark(false)), () => mark(false));
}

/** Names the filters in the address, or changes the name of a saved view. */
export function Keep({ view, close }) {
  const known = Boolean(view.id);
  const [name, setName] = useState(view.name || "");
  const [shared, setShared] = useState(Boolean(view.shared));
  const go = (event) => {
    event.preventDefault();
    if (!name.trim()) return;
    close();
    const after = { name: name.trim(), query: known ? view.query : chosen(), shared };
    (known ? change(view, after) : add(after)).catch(failed);
  };
  return html`<${Dialog} title=${t(known ? "views.change" : "views.keep")} close=${close}>
    <form class="stack" onSubmit=${go}>
      <label>${t("views.name")}<input value=${name} maxlength=${LONGEST} required autofocus onInput=${(event) => setName(event.currentTarget.value)} /></label>
      ${may("staff") && html`<label class="tick-line"><input type="checkbox" checked=${shared} onChange=${(event) => setShared(event.currentTarget.checked)} />${t("views.shared")}</label>`}
      <p class="acts">${known && html`<button type="button" class="danger-text" onClick=${() => (close(), remove(view))}>${t("views.remove")}</button>`}
        <button type="submit" class="main" disabled=${!name.trim()}>${t("views.save")}</button></p>
    </form>
  </${Dialog}>`;
}
