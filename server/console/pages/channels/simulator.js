// The simulator: write as a customer of a platform, and see what the platform would show. Nothing leaves the house.
import { api, queryOf } from "../../frame/api.js";
import { channelIcon, channelName } from "../../frame/channels.js";
import { clock, number, t, word } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { listen } from "../../frame/live.js";
import { failed } from "../../frame/overlay.js";
import { Empty, Waiting } from "../../frame/parts.js";
import { go, href } from "../../frame/router.js";
import { classes, html, useEffect, useRef, useState } from "../../frame/ui.js";
import { Written } from "./preview.js";

const PLATFORMS = ["web", "telegram", "slack", "whatsapp"];
const QUIET_MS = 250;
const ASK_MS = 1_500;
const OPEN = new Set(["queued", "sending"]);

/** Reads a conversation now, whenever something happens in it, and every moment while an answer is due. */
function useView(platform, session) {
  const [state, setState] = useState({ view: null, error: null });
  const at = `/api/simulator/${platform}`;
  const now = useRef(null);
  const read = async () => {
    const place = `${platform} ${session}`;
    now.current = place;
    try {
      const view = await api("GET", at + queryOf({ session }));
      if (now.current === place) setState({ view, error: null });
    } catch (error) {
      if (error.status === undefined) throw error;
      if (now.current === place) setState((before) => ({ ...before, error }));
    }
  };
  const id = state.view?.conversation_id;
  const due = state.view?.messages.length > 0 && (state.view.messages.at(-1).role === "customer" || state.view.messages.some((each) => OPEN.has(each.state)));
  useEffect(() => {
    setState({ view: null, error: null });
    read();
  }, [platform, session]);
  useEffect(() => {
    let timer = null;
    const stop = listen(({ event, data }) => {
      if (event !== "tick" && data.conversation !== id) return;
      timer ??= setTimeout(() => ((timer = null), read()), QUIET_MS);
    });
    return () => (clearTimeout(timer), stop());
  }, [id, platform, session]);
  useEffect(() => {
    if (!due) return undefined;
    const timer = setInterval(read, ASK_MS);
    return () => clearInterval(timer);
  }, [due, platform, session]);
  return [state, (view) => setState({ view, error: null }), read];
}

function Part({ part, index, of, limits, press, chosen, choose }) {
  return html`<div class=${classes("sim-part", chosen && "chosen")}><div class="sim-bubble">
      ${part.note && html`<span class="chip">${icon("file", 12)}${part.note}</span>`}${part.text && html`<${Written} part=${part} />`}</div>
    ${part.buttons.length > 0 && html`<div class="sim-buttons">${part.buttons.map((button) => html`<button type="button" key=${button.payload} onClick=${() => press(button)}>${button.label}</button>`)}</div>`}
    <button type="button" class="tiny" aria-pressed=${chosen} onClick=${choose}>${of > 1 ? t("channels.sim.part", { number: index + 1, of }) : t("channels.sim.one")} · ${t("channels.sim.units", { used: number(part.units), most: number(limits.text_units) })}</button></div>`;
}

function Message({ message, limits, press, chosen, choose }) {
  if (message.role === "customer") return html`<li class="sim customer"><div class="sim-bubble" dir="auto">${message.text}</div></li>`;
  const waiting = message.parts.length === 0;
  return html`<li class=${classes("sim", "answer", message.role)}><span class="sim-who">${t(`role.${message.role}`)} · ${clock(message.at)}${message.state ? ` · ${word("delivery", message.state)}` : ""}${message.reason ? `: ${word("reason", message.reason)}` : ""}</span>
    ${waiting && html`<div class="sim-part"><div class="sim-bubble" dir="auto">${message.text}</div></div>`}
    ${message.parts.map((part, index) => html`<${Part} key=${index} part=${part} index=${index} of=${message.parts.length} limits=${limits} press=${press} chosen=${chosen === `${message.id} ${index}`} choose=${() => choose(`${message.id} ${index}`)} />`)}</li>`;
}

function Inspect({ view, chosen }) {
  const [id, index] = chosen.split(" ");
  const part = view.messages.find((each) => each.id === id)?.parts[Number(index)];
  const share = part ? Math.min(100, (100 * part.units) / view.limits.text_units) : 0;
  return html`<aside class="card sim-inspect" aria-label=${t("channels.sim.inspect")}><h2>${t("channels.sim.inspect")}</h2>
    <dl class="account-facts"><div><dt>${t("channels.limits")}</dt><dd>${t("channels.limit.text", { n: view.limits.text_units, unit: t(`channels.units.${view.limits.unit}`) })}</dd></div>
      ${view.limits.window_s && html`<div><dt>${t("channels.sim.window")}</dt><dd>${t("channels.limit.window", { n: view.limits.window_s / 3600 })}</dd></div>`}
      ${view.conversation_id && html`<div><dt>${t("channels.sim.state")}</dt><dd>${word("status", view.status)} · <a href=${href(`/inbox/${view.conversation_id}`)}>${t("channels.sim.inInbox")}</a></dd></div>`}</dl>
    ${part ? html`<p>${t("channels.sim.units", { used: number(part.units), most: number(view.limits.text_units) })}</p><span class="bar" aria-hidden="true"><span style=${{ inlineSize: `${share}%` }}></span></span>
      ${part.raw ? html`<h3>${t("channels.sim.raw")}</h3><pre tabindex="0">${part.raw}</pre>` : html`<p class="soft">${t("channels.sim.noRaw")}</p>`}` : html`<p class="soft">${t("channels.sim.choose")}</p>`}</aside>`;
}

export function Simulator({ platform, session }) {
  const known = PLATFORMS.includes(platform) ? platform : "web";
  const [{ view, error }, take, read] = useView(known, session);
  const [text, setText] = useState("");
  const [chosen, choose] = useState("");
  const [busy, setBusy] = useState(false);
  const end = useRef(null);
  useEffect(() => end.current?.scrollTo?.(0, end.current.scrollHeight), [view?.messages.length, view?.messages.at(-1)?.parts.length]);
  const send = async (path, body) => {
    setBusy(true);
    try {
      take(await api("POST", `/api/simulator/${known}/${path}`, { session, ...body }));
      return true;
    } catch (problem) {
      failed(problem);
      return false;
    } finally {
      setBusy(false);
    }
  };
  const say = async (event) => {
    event.preventDefault();
    if (text.trim() && !busy && (await send("messages", { text }))) setText("");
  };
  const keys = (event) => event.key === "Enter" && !event.shiftKey && !event.isComposing && say(event);
  const press = (button) => send("presses", { payload: button.payload, label: button.label });
  const fresh = () => go(`/channels/simulator/${known}`, { session: String(Date.now()) });
  return html`<p class="note sim-note">${icon("alert", 16)} ${t("channels.sim.marked")}</p>
    <div class="sim-head"><div class="tabs small" role="group" aria-label=${t("channels.sim.platform")}>${PLATFORMS.map((each) => html`<button type="button" key=${each} aria-pressed=${each === known} onClick=${() => (choose(""), go(`/channels/simulator/${each}`, { session: session === "0" ? "" : session }))}>${icon(channelIcon(each), 14)}${channelName(each)}</button>`)}</div>
      <button type="button" class="small" onClick=${fresh}>${t("channels.sim.fresh")}</button></div>
    ${error && html`<p class="note bad" role="alert">${error.message} <button type="button" class="text" onClick=${read}>${t("retry")}</button></p>`}
    ${!view && !error && html`<${Waiting} rows=${4} />`}
    ${view && html`<div class="sim-desk"><section class=${classes("phone", known)} aria-label=${t("channels.sim.phone", { channel: channelName(known) })}>
        <header>${icon(channelIcon(known), 16)}<b>${channelName(known)}</b><span class="chip warn">${t("channels.sim.badge")}</span></header>
        <ol class="sim-thread" role="list" ref=${end} tabindex="0" aria-label=${t("thread.title")} aria-live="polite">${view.messages.length === 0 && html`<li><${Empty} picture="bot" title=${t("channels.sim.empty")} text=${t("channels.sim.emptyNext")} /></li>`}
          ${view.messages.map((message) => html`<${Message} key=${message.id} message=${message} limits=${view.limits} press=${press} chosen=${chosen} choose=${choose} />`)}
          ${view.messages.at(-1)?.role === "customer" && view.status === "bot" && html`<li class="sim answer"><span class="sim-who" role="status">${t("channels.sim.writing")}</span></li>`}</ol>
        <form class="sim-composer" onSubmit=${say}><textarea rows="2" dir="auto" value=${text} maxlength="8000" aria-label=${t("channels.sim.write")} placeholder=${t("channels.sim.write")} onInput=${(event) => setText(event.currentTarget.value)} onKeyDown=${keys}></textarea>
          <button type="submit" class="main" disabled=${busy || !text.trim()}>${t("composer.send")}</button></form></section>
      <${Inspect} view=${view} chosen=${chosen} /></div>`}`;
}
