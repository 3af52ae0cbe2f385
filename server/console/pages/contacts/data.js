// A copy of a customer's data, and its end: typed out before it happens, followed to the report.
import { Refusal, api, request } from "../../frame/api.js";
import { t } from "../../frame/i18n.js";
import { Dialog, announce, failed } from "../../frame/overlay.js";
import { Button } from "../../frame/parts.js";
import { html, useEffect, useState } from "../../frame/ui.js";
import { Report } from "./erasures.js";

const ASK_MS = 700;
const FREE_MS = 60_000; // a browser has taken the file by then

async function copy(person) {
  const answer = await request("POST", `/api/customers/${person.id}/export`);
  if (!answer.ok) throw new Refusal(answer.status, await answer.json().catch(() => ({})));
  const url = URL.createObjectURL(await answer.blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") || "")?.[1] || "customer.zip";
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), FREE_MS);
  announce(t("contacts.data.copied"));
}

const same = (one, other) => one.trim().replace(/\s+/g, " ").toLowerCase() === other.trim().replace(/\s+/g, " ").toLowerCase();

function Erase({ person, close, gone }) {
  const wanted = person.name || person.id;
  const [text, setText] = useState("");
  const [row, setRow] = useState(null);
  const runs = row && ["queued", "running"].includes(row.state);
  useEffect(() => {
    if (!runs) return undefined;
    const timer = setTimeout(() => api("GET", `/api/erasures/${row.id}`).then(setRow).catch(failed), ASK_MS);
    return () => clearTimeout(timer);
  }, [row]);
  useEffect(() => {
    if (row?.state === "done") announce(t("contacts.data.done"));
  }, [row?.state]);
  const start = async (event) => {
    event.preventDefault();
    if (!same(text, wanted)) return;
    try {
      setRow(await api("POST", `/api/customers/${person.id}/erase`, { confirm: text.trim() }));
    } catch (error) {
      failed(error);
    }
  };
  const leave = () => (row ? gone() : close());
  return html`<${Dialog} title=${t(row ? "contacts.data.report" : "contacts.data.erase")} close=${leave}>
    ${row ? html`<${Report} row=${row} /><div class="acts end"><button type="button" class="main" onClick=${leave}>${t("close")}</button></div>`
      : html`<form class="erase" onSubmit=${start}>
        <p>${t("contacts.data.means")}</p><p class="note warn">${t("contacts.data.stays")}</p>
        <label>${t("contacts.data.type")} <code class="wanted">${wanted}</code><input name="confirm" autocomplete="off" autofocus spellcheck="false" value=${text} onInput=${(event) => setText(event.currentTarget.value)} /></label>
        <div class="acts end"><button type="button" onClick=${close}>${t("cancel")}</button><button type="submit" class="danger" disabled=${!same(text, wanted)}>${t("contacts.data.eraseNow")}</button></div></form>`}
  </${Dialog}>`;
}

export function Data({ person, gone }) {
  const [erasing, setErasing] = useState(false);
  return html`<p class="soft">${t("contacts.data.lead")}</p>
    <div class="acts"><${Button} run=${() => copy(person)}>${t("contacts.data.copy")}</${Button}
      ><button type="button" class="danger" onClick=${() => setErasing(true)}>${t("contacts.data.erase")}</button></div>
    ${erasing && html`<${Erase} person=${person} close=${() => setErasing(false)} gone=${gone} />`}`;
}
