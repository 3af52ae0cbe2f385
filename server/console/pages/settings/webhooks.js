// What the shop's own systems were told, and telling them again.
import { api, queryOf } from "../../frame/api.js";
import { t, word } from "../../frame/i18n.js";
import { toast } from "../../frame/overlay.js";
import { Button, Waiting, When, useRead } from "../../frame/parts.js";
import { optional } from "../../frame/session.js";
import { classes, html, useState } from "../../frame/ui.js";

const TONES = { delivered: "good", done: "good", sent: "good", parked: "bad", failed: "bad", dead: "bad" };
const MOST = 20;

export function Webhooks() {
  const [limit, setLimit] = useState(MOST);
  const [found, error, read] = useRead(() => optional(() => api("GET", `/api/tools/deliveries${queryOf({ limit })}`)), [limit]);
  const again = async (one) => {
    await api("POST", `/api/tools/deliveries/${one.id}/replay`, {});
    toast(t("settings.replayed"));
    await read();
  };
  return html`<section class="card" aria-labelledby="hooks-title"><h2 id="hooks-title">${t("settings.webhooks")}</h2>${error && html`<p class="note bad" role="alert">${error.message}</p>`}${!found && !error && html`<${Waiting} rows=${2} />`}
    ${found && !found.deliveries.length && html`<p class="soft">${t("settings.noWebhooks")}</p>`}
    <ul class="lines">${(found?.deliveries || []).map((one) => html`<li key=${one.id}><div class="what"><b>${one.kind}</b><span>${one.url} · <${When} at=${one.created_at} />${one.attempts > 1 ? ` · ${t("settings.attempts", { n: one.attempts })}` : ""}</span></div>
      <span class=${classes("chip", TONES[one.state])}>${word("settings.delivery", one.state)}${one.code ? ` ${one.code}` : ""}</span><${Button} look="small" run=${() => again(one)} aria-label=${t("settings.replayOf", { kind: one.kind })}>${t("settings.replay")}</${Button}></li>`)}</ul>
    ${found?.next && html`<p class="centre"><button type="button" onClick=${() => setLimit(limit + MOST)}>${t("training.moreRows")}</button></p>`}</section>`;
}
