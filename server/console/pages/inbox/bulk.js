// Several conversations at once: choose them in the list, then do one thing with all of them.
import { api } from "../../frame/api.js";
import { t, word } from "../../frame/i18n.js";
import { announce, toast } from "../../frame/overlay.js";
import { Button, IconButton, Menu } from "../../frame/parts.js";
import { may, person } from "../../frame/session.js";
import { html, signal } from "../../frame/ui.js";
import { labels, readList, readViews, rows } from "./desk.js";

const AT_ONCE = 6; // requests under way together
const PRIORITIES = ["urgent", "high", "normal", "low"];

export const choosing = signal(false);
export const chosen = signal(new Set());

/** Puts a conversation among the chosen ones, or takes it out. */
export function toggle(id) {
  const now = new Set(chosen.value);
  now[now.has(id) ? "delete" : "add"](id);
  chosen.value = now;
}

/** Begins or ends choosing. */
export function choose(on) {
  choosing.value = on;
  chosen.value = new Set();
}

/** Does the same with every chosen conversation; says how many did not want it, and why the first did not. */
async function each(run) {
  const left = [...chosen.value];
  const refused = [];
  const total = left.length;
  const work = async () => {
    for (let id = left.shift(); id; id = left.shift()) {
      try {
        await run(id);
      } catch (error) {
        if (error.status === undefined) throw error;
        refused.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  choose(false);
  announce(t("bulk.done", { n: total - refused.length }));
  toast(refused.length ? t("bulk.refused", { n: refused.length, why: refused[0].message }) : t("bulk.done", { n: total }), { tone: refused.length ? "bad" : "" });
  await Promise.all([readList(), readViews()]);
}

const step = (name, body) => () => each((id) => api("POST", `/api/conversations/${id}/${name}`, body));
const urgency = (priority) => () => each((id) => api("PUT", `/api/conversations/${id}/priority`, { priority }));
const carry = (label) => () => each((id) => {
  const had = rows.value.find((row) => row.id === id)?.labels || [];
  return api("PUT", `/api/conversations/${id}/labels`, { labels: [...new Set([...had, label])] });
});

/** The bar above the list while conversations are chosen. */
export function Bulk() {
  const count = chosen.value.size;
  const none = count === 0;
  return html`<div class="bulk" role="toolbar" aria-label=${t("bulk.title")}>
    <span class="grow" role="status">${t("bulk.count", { n: count })}</span>
    <${Button} look="small" disabled=${none} run=${step("transfer", { person: person.value.id })}>${t("bulk.mine")}</${Button}>
    <${Button} look="small" disabled=${none} run=${step("close")}>${t("holder.close")}</${Button}>
    ${!none && html`<${Menu} name=${t("more")} rows=${[
      { label: t("holder.snooze"), run: step("snooze", {}), picture: "clock" },
      ...PRIORITIES.map((name) => ({ label: t("holder.priority", { name: word("priority", name) }), run: urgency(name), picture: "alert" })),
      ...labels.value.map((label) => ({ label: `${t("labels.choose")}: ${label.name}`, run: carry(label.id), picture: "label" })),
    ]} />`}
    <${IconButton} picture="close" look="small" name=${t("bulk.end")} onClick=${() => choose(false)} /></div>`;
}

/** The button that begins choosing. */
export const Choose = () => may("staff") && html`<${IconButton} picture="check" look=${choosing.value ? "small on" : "small"} name=${t("bulk.start")} aria-pressed=${choosing.value} onClick=${() => choose(!choosing.value)} />`;
