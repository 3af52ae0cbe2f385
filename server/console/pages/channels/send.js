// A test message over one account: to whom, and what the platform said of it.
import { api } from "../../frame/api.js";
import { channelName } from "../../frame/channels.js";
import { t, word } from "../../frame/i18n.js";
import { Dialog } from "../../frame/overlay.js";
import { classes, html, useEffect, useState } from "../../frame/ui.js";

const ASK_MS = 500;
const OPEN = new Set(["queued", "sending", "uncertain"]);
const EXAMPLES = { telegram: "123456789", slack: "C0123ABCD", whatsapp: "+14155238886" };

function Fate({ id }) {
  const [now, setNow] = useState({ state: "queued", reason: "", code: "", detail: "" });
  useEffect(() => {
    let timer;
    let wanted = true;
    const look = async () => {
      const found = await api("GET", `/api/channels/tests/${id}`).catch((error) => ({ state: "failed", reason: "", code: "", detail: error.message }));
      if (!wanted) return;
      setNow(found);
      if (OPEN.has(found.state)) timer = setTimeout(look, ASK_MS);
    };
    look();
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [id]);
  const bad = ["failed", "parked", "cancelled", "expired"].includes(now.state);
  return html`<p class=${classes("note", bad ? "bad" : OPEN.has(now.state) ? "plain" : "fine")} role="status"><b>${word("delivery", now.state)}</b> ${[now.code, now.detail, bad && !now.detail && now.reason].filter(Boolean).join(": ")}</p>`;
}

export function SendTest({ row, close }) {
  const [to, setTo] = useState("");
  const [text, setText] = useState(t("channels.testText"));
  const [state, setState] = useState({ id: "", trouble: "", busy: false });
  const send = async (event) => {
    event.preventDefault();
    setState({ id: "", trouble: "", busy: true });
    try {
      const { id } = await api("POST", `/api/channels/${row.channel}/${row.account}/test`, { to, text });
      setState({ id, trouble: "", busy: false });
    } catch (error) {
      if (error.status === undefined) throw error;
      setState({ id: "", trouble: error.fields?.[0]?.msg || error.message, busy: false });
    }
  };
  return html`<${Dialog} title=${t("channels.testOn", { channel: channelName(row.channel) })} close=${close}><form class="stack" onSubmit=${send}>
    <p class="soft">${t("channels.testLead")}</p>
    <label>${t(`channels.to.${row.channel}`)}<input value=${to} required maxlength="64" autocomplete="off" placeholder=${EXAMPLES[row.channel]} onInput=${(event) => setTo(event.currentTarget.value)} /></label>
    <label>${t("channels.text")}<textarea rows="3" maxlength="500" required value=${text} onInput=${(event) => setText(event.currentTarget.value)}></textarea></label>
    ${state.trouble && html`<p class="note bad" role="alert">${state.trouble}</p>`}${state.id && html`<${Fate} id=${state.id} />`}
    <span class="acts end"><button type="button" onClick=${close}>${t("close")}</button><button type="submit" class="main" disabled=${state.busy}>${t("channels.sendTest")}</button></span></form></${Dialog}>`;
}
