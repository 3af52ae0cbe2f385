// Writing: a reply to the customer, or a note for colleagues.
import { Refusal, request } from "../../frame/api.js";
import { MOST_CHARACTERS, channelName, fit } from "../../frame/channels.js";
import { number, t } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { failed, toast } from "../../frame/overlay.js";
import { IconButton, Keys } from "../../frame/parts.js";
import { may } from "../../frame/session.js";
import { classes, html, signal, useEffect, useLayoutEffect, useRef, useState } from "../../frame/ui.js";
import { Offers, asked, fitting, mentioned, put, readCanned, readColleagues } from "./canned.js";
import { beside } from "./desk.js";
import { useDraft, useTyping } from "./drafts.js";
import { moves } from "./holder.js";
import { send } from "./replies.js";
import { Suggestion, accepted, dismiss, suggest, suggestion } from "./suggest.js";
import { Templates } from "./template.js";

const HIGHEST_PX = 240;
const TYPES_S = 15; // how long a sign of typing holds

/** Whether it replies or notes, kept outside so that keys can change it. */
export const noting = signal(false);

function hint({ conversation, desk }, text, note) {
  if (note) return t("note.hint");
  const { used, most, parts, left, closed } = fit(desk.room, text);
  if (closed) return t("composer.window.closed");
  const words = left === null ? [] : [t("composer.window.open", { hours: number(Math.floor(left / 3600)), minutes: Math.floor((left % 3600) / 60) })];
  if (!desk.room.running) words.push(t("composer.off", { channel: channelName(conversation.channel) }));
  if (parts > 1) words.push(t("composer.parts", { n: parts, channel: channelName(conversation.channel) }));
  else if (most && used > most * 0.7) words.push(`${number(used)} / ${number(most)}`);
  return words.join(" · ");
}

function Tabs({ note }) {
  const tab = (value, label, key) => html`<button type="button" role="tab" id=${`tab-${key}`} aria-selected=${note === value} aria-controls="composer-field" tabindex=${note === value ? 0 : -1}
    onClick=${() => (noting.value = value)}>${label} <kbd>${key}</kbd></button>`;
  const turn = (event) => {
    if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    noting.value = !note;
    event.currentTarget.querySelector(`[role=tab]:nth-child(${note ? 1 : 2})`).focus();
  };
  return html`<div class="composer-tabs" role="tablist" aria-label=${t("composer.kind")} onKeyDown=${turn}>${tab(false, t("composer.reply"), "R")}${tab(true, t("composer.note"), "N")}</div>`;
}

/** Files that go with the next reply: [rows, add, remove all]. */
function useFiles(id) {
  const [files, setFiles] = useState([]);
  const add = async (file) => {
    const answer = await request("POST", `/api/conversations/${id}/files?name=${encodeURIComponent(file.name.slice(-120))}`, { raw: file });
    if (!answer.ok) throw new Refusal(answer.status, await answer.json());
    const made = await answer.json();
    setFiles((now) => [...now, made]);
  };
  return [files, add, setFiles];
}

function Attach({ room, add }) {
  const input = useRef(null);
  if (!room.file_bytes) return null;
  const take = (event) => Promise.all([...event.currentTarget.files].map(add)).catch(failed).then(() => (input.current.value = ""));
  return html`<${IconButton} picture="clip" name=${t("composer.attach")} onClick=${() => input.current.click()} /><input ref=${input} type="file" multiple hidden onChange=${take} />`;
}

let warned = ""; // the reply somebody was warned about: the same one again goes out

/** Whether a colleague writes here at the same moment and that was not said yet; then it is said. */
function crossed(id, said) {
  const other = (beside.value[id] || []).find((one) => one.state === "typing" && Date.now() / 1000 - one.at < TYPES_S);
  if (!other || warned === `${id} ${said}`) return false;
  warned = `${id} ${said}`;
  toast(t("composer.crossed", { name: other.name }), { tone: "bad" });
  return true;
}

const why = (row, closed) => t(closed ? "composer.window.closed" : row.status === "closed" ? "composer.isClosed" : "composer.others", { name: row.owner_name || t("inbox.staff") });

function useOffers(id, text, note) {
  const [at, setAt] = useState(0);
  const letters = asked(text, note);
  const wanted = letters !== null;
  useEffect(() => {
    if (wanted) (note ? readColleagues() : readCanned(id)).catch(failed);
  }, [wanted, note]);
  return { rows: wanted ? fitting(letters, note) : null, at, setAt };
}

/** The height of a text's field follows the text. */
function useHeight(field, marks) {
  useLayoutEffect(() => {
    const node = field.current;
    if (!node) return;
    node.style.height = "auto";
    node.style.height = `${Math.min(HIGHEST_PX, node.scrollHeight + 2)}px`;
  }, marks);
}

export function Composer({ detail, field }) {
  const row = detail.conversation;
  const able = moves(row);
  const note = noting.value;
  const [text, write] = useDraft(row.id, note ? "note" : "reply", detail.desk.drafts);
  const [files, addFile, setFiles] = useFiles(row.id);
  const { rows, at, setAt } = useOffers(row.id, text, note);
  const typing = useTyping(row.id);
  const { closed } = fit(detail.desk.room, text);
  const barred = !note && (!able.write || closed);
  useHeight(field, [text, note]);
  useEffect(() => dismiss, []);
  if (!may("staff")) return html`<p class="composer barred soft">${t("composer.viewer")}</p>`;
  const go = () => {
    const said = text.trim();
    if (barred || !(said || (files.length && !note))) return;
    if (!note && crossed(row.id, said)) return;
    write("");
    setFiles([]);
    dismiss();
    const uploads = note ? [] : files.map((file) => file.id);
    send(row.id, said, note ? { note, mentions: mentioned(said) } : { claim: !able.mine, uploads });
  };
  const choose = (one) => (write(put(text, one)), setAt(0), field.current.focus());
  const accept = () => (accepted.set(row.id, suggestion.value.text), write(suggestion.value.text), dismiss(), field.current.focus());
  const drafted = suggestion.value.conversation === row.id && suggestion.value.state === "done";
  const press = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const mod = event.ctrlKey || event.metaKey;
    if (event.key === "Enter" && mod) go();
    else if (event.key === "." && mod && !note && !barred) suggest(row.id);
    else if (rows?.length && step) setAt((at + step + rows.length) % rows.length);
    else if (rows?.length && ["Enter", "Tab"].includes(event.key)) choose(rows[Math.min(at, rows.length - 1)]);
    else if (drafted && event.key === "Tab" && !event.shiftKey) accept();
    else if (event.key === "Escape") suggestion.value.state === "none" ? field.current.blur() : dismiss();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  if (!note && closed && able.write) return html`<div class="composer"><${Tabs} note=${note} /><${Templates} detail=${detail} mine=${able.mine} field=${field} /></div>`;
  const combo = rows && { role: "combobox", "aria-expanded": "true", "aria-controls": "offers", "aria-autocomplete": "list", "aria-activedescendant": rows.length ? `offer-${at}` : undefined };
  return html`<form class=${classes("composer", note && "noting")} onSubmit=${(event) => (event.preventDefault(), go())}>
    <${Tabs} note=${note} />
    ${!note && html`<${Suggestion} conversation=${row.id} accept=${accept} leave=${() => field.current.focus()} />`}
    <div class="composer-box" id="composer-field" role="tabpanel" aria-labelledby=${note ? "tab-N" : "tab-R"}>
      ${rows && html`<${Offers} rows=${rows} at=${at} choose=${choose} note=${note} />`}
      <textarea ref=${field} rows="2" dir="auto" value=${text} disabled=${barred} maxlength=${MOST_CHARACTERS} onKeyDown=${press} ...${combo || {}}
        onInput=${(event) => (write(event.currentTarget.value), setAt(0), typing())}
        aria-label=${t(note ? "composer.noteTo" : "composer.replyTo", { name: row.customer_name || t("visitor") })}
        placeholder=${barred ? why(row, closed) : t(note ? "note.placeholder" : "composer.placeholder")}></textarea>
      ${files.length > 0 && !note && html`<ul class="files chips">${files.map((file) => html`<li key=${file.id}><button type="button" class="chip filter" onClick=${() => setFiles(files.filter((each) => each !== file))}>${file.name} ${icon("close", 12)}<span class="unseen">${t("composer.detach")}</span></button></li>`)}</ul>`}
      <footer>${!note && !barred && html`<${Attach} room=${detail.desk.room} add=${addFile} />
          <button type="button" class="tiny" onClick=${() => suggest(row.id)} title=${t("suggest.title")}>${icon("spark", 15)}${t("suggest.ask")}</button>`}
        <span class="soft grow" role="status">${hint(detail, text, note)}</span>
        <button type="submit" class="main" disabled=${barred || !(text.trim() || files.length)}>${icon(note ? "note" : "send", 15)}${t(note ? "note.keep" : able.mine ? "composer.send" : "composer.claimAndSend")} <${Keys} keys="Mod+Enter" /></button></footer>
    </div>
  </form>`;
}
