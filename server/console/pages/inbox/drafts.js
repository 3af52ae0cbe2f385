// What somebody has begun to write: kept in this browser at once, and on the server a moment later.
import { api } from "../../frame/api.js";
import { person } from "../../frame/session.js";
import { signal, useEffect, useRef, useState } from "../../frame/ui.js";

const KEEP_MS = 1_500;
const TOLD_MS = 4_000;
const place = (id, kind) => `frontdesk.draft.${person.value.id}.${id}.${kind}`;
const returned = signal({}); // text that came back from a reply that was taken back

/** Gives text back to the composer of a conversation. */
export function giveBackText(id, text) {
  localStorage.setItem(place(id, "reply"), text);
  returned.value = { id, text };
}

/** A conversation's draft of a kind: [text, write]. `kept` are the drafts the server has. */
export function useDraft(id, kind, kept) {
  const first = () => localStorage.getItem(place(id, kind)) ?? kept[kind] ?? "";
  const [text, setText] = useState(first);
  const timer = useRef(0);
  useEffect(() => setText(first()), [kind]);
  useEffect(() => {
    if (returned.value.id === id && kind === "reply") setText(returned.value.text);
  }, [returned.value]);
  const write = (next) => {
    setText(next);
    localStorage.setItem(place(id, kind), next);
    clearTimeout(timer.current);
    const keep = () => api("PUT", `/api/conversations/${id}/draft`, { kind, text: next })
      .then(() => next || localStorage.removeItem(place(id, kind)))
      .catch(() => {}); // it stays in this browser
    timer.current = setTimeout(keep, next ? KEEP_MS : 0);
  };
  return [text, write];
}

/** Tells colleagues that one writes here, now and then. */
export function useTyping(id) {
  const last = useRef(0);
  return () => {
    if (Date.now() - last.current < TOLD_MS) return;
    last.current = Date.now();
    api("POST", `/api/conversations/${id}/viewing`, { state: "typing" }).catch(() => {}); // only a hint for others
  };
}
