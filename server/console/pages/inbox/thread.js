// The third column: what was said, day by day, oldest first; it stays at the end while one reads there.
import { day, t } from "../../frame/i18n.js";
import { failed } from "../../frame/overlay.js";
import { Empty, Waiting } from "../../frame/parts.js";
import { href, route } from "../../frame/router.js";
import { person } from "../../frame/session.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef } from "../../frame/ui.js";
import { Bubble, OnItsWay } from "./bubble.js";
import { Composer } from "./composer.js";
import { missing, open } from "./desk.js";
import { giveBackText } from "./drafts.js";
import { Holder } from "./holder.js";
import { nameOf } from "./list.js";
import { deliver, drop, sending, takeBack } from "./replies.js";

const TOGETHER_S = 180; // messages of one author so close to each other stand under one name
const AT_END_PX = 80;

/** Messages and notes in the order they came, each with whether a day and an author begin with it. */
function lines(detail) {
  const notes = detail.desk.notes.filter((note) => !note.deleted_at).map((note) => ({ ...note, role: "note" }));
  const all = [...detail.messages, ...notes].sort((a, b) => a.seq - b.seq);
  return all.map((message, index) => {
    const before = all[index - 1];
    const newDay = !before || new Date(before.created_at * 1000).toDateString() !== new Date(message.created_at * 1000).toDateString();
    const same = before && before.role === message.role && before.author === message.author && message.created_at - before.created_at < TOGETHER_S;
    return { message, newDay, first: newDay || !same };
  });
}

/** Keeps the end in sight when something comes and one was there already. */
function useEnd(id, marks) {
  const box = useRef(null);
  const atEnd = useRef(true);
  const scroll = () => {
    if (!box.current) return; // scrolled by its own removal
    const { scrollHeight, scrollTop, clientHeight } = box.current;
    atEnd.current = scrollHeight - scrollTop - clientHeight < AT_END_PX;
  };
  useLayoutEffect(() => {
    atEnd.current = true;
  }, [id]);
  useLayoutEffect(() => {
    if (box.current && atEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [id, ...marks]);
  useEffect(() => {
    if (!box.current) return undefined;
    const watch = new ResizeObserver(() => {
      if (atEnd.current && box.current) box.current.scrollTop = box.current.scrollHeight;
    });
    watch.observe(box.current);
    return () => watch.disconnect();
  }, [id, Boolean(box.current), ...marks.slice(0, 1)]);
  return [box, scroll];
}

export function Thread({ id, panel, showPanel, composer }) {
  const detail = open.value?.conversation.id === id ? open.value : null;
  const mine = sending.value.filter((each) => each.conversation === id);
  const held = detail?.desk.scheduled || [];
  const last = detail?.messages.at(-1);
  const [box, scroll] = useEnd(id, [detail?.messages.length, detail?.desk.notes.length, last?.text, mine.length, held.length]);
  const shown = useMemo(() => (detail ? lines(detail) : []), [detail]);
  if (missing.value && !detail) return html`<section class="thread"><${Empty} picture="alert" title=${t("thread.missing")} text=${missing.value.message}><a class="button" href=${href("/inbox", route.value.query)}>${t("inbox.back")}</a></${Empty}></section>`;
  if (!detail) return html`<section class="thread"><${Waiting} rows=${8} /></section>`;
  const row = detail.conversation;
  const turns = new Map(detail.turns.map((turn) => [turn.message_id, turn]));
  const byId = new Map(detail.turns.map((turn) => [turn.id, turn]));
  const turnOf = (message) => turns.get(message.id) || byId.get(message.turn_id);
  const stepsOf = (turn) => (turn ? detail.steps.filter((step) => step.first_seq === turn.first_seq) : []);
  const edit = (text) => {
    if (!text) return; // a template: nobody wrote its words
    giveBackText(id, text);
    composer.current?.focus();
  };
  const undo = (message) => takeBack(id, message).then(edit).catch(failed);
  return html`<section class="thread" aria-label=${t("thread.with", { name: nameOf(row) })}>
    <${Holder} row=${row} desk=${detail.desk} promises=${detail.promises} panel=${panel} showPanel=${showPanel} />
    <div class="thread-box" ref=${box} onScroll=${scroll} tabindex="0" role="region" aria-label=${t("thread.title")}>
      <ol class="messages" role="list">
        ${shown.map(({ message, newDay, first }) => {
          const turn = turnOf(message);
          return html`${newDay && html`<li class="day" key=${`day-${message.id}`}><span>${day(message.created_at)}</span></li>`}
            <${Bubble} key=${message.id} message=${message} first=${first} turn=${turn} steps=${stepsOf(turn)} name=${nameOf(row)} seed=${row.id} />`;
        })}
        ${held.map((reply) => html`<${OnItsWay} key=${reply.id} reply=${{ ...reply, state: "held" }} undo=${reply.author === person.value.id && (() => undo(reply.id))} />`)}
        ${mine.map((reply) => html`<${OnItsWay} key=${reply.key} reply=${reply} again=${() => deliver(reply.key)} drop=${() => edit(drop(reply.key))} />`)}
      </ol>
      ${shown.length === 0 && html`<p class="soft centre">${t("inbox.silent")}</p>`}
    </div>
    <${Composer} detail=${detail} field=${composer} key=${id} />
  </section>`;
}
