// The inbox: views, list, thread and customer side by side, worked by keys alone if one likes.
import { api } from "../../frame/api.js";
import { t } from "../../frame/i18n.js";
import { useKeys } from "../../frame/keys.js";
import { failed } from "../../frame/overlay.js";
import { Empty } from "../../frame/parts.js";
import { go, route } from "../../frame/router.js";
import { may } from "../../frame/session.js";
import { html, useEffect, useRef, useState } from "../../frame/ui.js";
import { choose, choosing, toggle } from "./bulk.js";
import { noting } from "./composer.js";
import { Customer } from "./customer.js";
import { FILTERS, TICKETS, filters, follow, missing, open, readOpen, readViews, rows, turnList } from "./desk.js";
import { Give, giving } from "./give.js";
import { claim, close, giveBack, moves, snooze } from "./holder.js";
import { Labels, labelling } from "./labels.js";
import { List } from "./list.js";
import { Thread } from "./thread.js";
import { TicketList } from "./tickets.js";
import { Views } from "./views.js";

const PANEL = "frontdesk.panel";
const WIDE = matchMedia("(min-width: 1280px)");
const BEAT_MS = 8_000;

const visit = (id, how) => go(id ? `/inbox/${id}` : "/inbox", route.value.query, how);

/** Goes to the conversation before or behind the open one. */
function move(inside, by) {
  const all = rows.value || [];
  const index = all.findIndex((row) => row.id === inside);
  const next = all[index < 0 ? (by > 0 ? 0 : all.length - 1) : index + by];
  if (next) visit(next.id, { replace: Boolean(inside) });
}

/** Tells colleagues what one looks at, as long as the page is in sight. */
function useViewing(inside) {
  useEffect(() => {
    if (!inside) return undefined;
    const tell = (state) => {
      if (document.visibilityState === "visible") api("POST", `/api/conversations/${inside}/viewing`, { state }).catch(() => {}); // only a hint for others
    };
    tell("viewing");
    const timer = setInterval(() => tell("viewing"), BEAT_MS);
    return () => (clearInterval(timer), tell("left"));
  }, [inside]);
}

function useInboxKeys(inside, composer) {
  const row = () => open.value?.conversation.id === inside && open.value.conversation;
  const able = () => (row() ? moves(row()) : {});
  const write = (note) => {
    noting.value = note;
    composer.current?.focus(); // at once, so that no letter is lost
    if (document.activeElement !== composer.current) requestAnimationFrame(() => composer.current?.focus()); // it was disabled
  };
  const done = (onward) => {
    const now = row();
    if (!now || !able().close) return;
    if (onward) move(inside, 1);
    close(now);
  };
  const when = (name, run) => () => {
    if (able()[name]) run(inside).catch(failed);
  };
  const key = (keys, label, run) => ({ keys, label: `keys.${label}`, group: "keys.inbox", run });
  useKeys([
    key("j", "next", () => move(inside, 1)),
    key("k", "previous", () => move(inside, -1)),
    key("Enter", "open", (event) => {
      if (event.target.closest("a, button, summary, [tabindex]:not([tabindex='-1'])") && !event.target.matches(".thread-box")) return false;
      composer.current?.focus();
      return undefined;
    }),
    key("r", "reply", () => row() && write(false)),
    key("n", "note", () => row() && may("staff") && write(true)),
    key("t", "claim", when("claim", claim)),
    key("b", "giveBack", when("giveBack", giveBack)),
    key("e", "close", () => done(false)),
    key("Shift+e", "closeNext", () => done(true)),
    key("a", "assign", () => row() && able().give && (giving.value = true)),
    key("l", "label", () => row() && may("staff") && (labelling.value = true)),
    key("s", "snooze", when("close", snooze)),
    key("x", "pick", () => {
      if (!may("staff")) return;
      if (!choosing.value) choose(true);
      if (inside) toggle(inside);
    }),
    key("Escape", "leave", () => choosing.value ? choose(false) : (inside ? visit("") : false)),
  ]);
}

export default function Inbox({ inside }) {
  const composer = useRef(null);
  const [panel, setPanel] = useState(WIDE.matches && localStorage.getItem(PANEL) !== "off");
  const now = filters();
  useEffect(follow, []);
  useEffect(() => {
    readViews().catch(failed);
  }, []);
  useEffect(() => {
    turnList();
  }, FILTERS.map((name) => now[name]));
  useEffect(() => {
    missing.value = null;
    if (open.value?.conversation.id !== inside) open.value = null;
    if (inside) readOpen(inside);
  }, [inside]);
  useViewing(inside);
  useInboxKeys(inside, composer);
  const toggle = () => {
    if (WIDE.matches) localStorage.setItem(PANEL, panel ? "off" : "on");
    setPanel(!panel);
  };
  const detail = open.value?.conversation.id === inside ? open.value : null;
  return html`<div class=${`inbox ${inside ? "has-open" : ""} ${panel && inside ? "has-panel" : ""}`}>
    <${Views} />
    ${now.view === TICKETS ? html`<${TicketList} />` : html`<${List} selected=${inside} />`}
    ${inside ? html`<${Thread} key=${inside} id=${inside} panel=${panel} showPanel=${toggle} composer=${composer} />`
      : html`<section class="thread none"><${Empty} picture="channels" title=${t("inbox.choose")} text=${t("inbox.chooseHow")} /></section>`}
    ${inside && panel && html`<${Customer} detail=${detail} close=${toggle} />`}
    ${giving.value && detail && html`<${Give} detail=${detail} close=${() => (giving.value = false)} />`}
    ${labelling.value && detail && html`<${Labels} detail=${detail} close=${() => (labelling.value = false)} />`}
  </div>`;
}
