// What happens on the desk, as it happens. All tabs of a browser share one connection: the tab that holds the lock
// follows the stream and tells the others; a server without the stream is asked every few seconds instead.
import { follow } from "./stream.js";
import { signal } from "./ui.js";

const STREAM = "/api/events";
const ASK_MS = 3_000;
const NAME = "frontdesk-events";
const SETTLED_MS = 1_000; // pages have read by then what they show first

export const connection = signal("connecting"); // connecting, live, asking, lost
const listeners = new Set();
const others = "BroadcastChannel" in window ? new BroadcastChannel(NAME) : null;
let last = "";

/** Calls `listener` with every frame {event, data}; answers how to stop. "tick" means: something may have changed. */
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function hear(frame) {
  if (frame.id) last = frame.id;
  for (const listener of listeners) listener(frame);
}

function state(value) {
  const before = connection.value;
  connection.value = value;
  if (value !== "live" || before === "live" || last) return;
  // nothing to resume from: what was read before the stream began may be older than the stream
  setTimeout(() => hear({ event: "tick", data: {} }), before === "lost" ? 0 : SETTLED_MS);
}

function tell(message) {
  others?.postMessage(message);
}

async function lead() {
  await follow(STREAM, {
    lastId: () => last,
    onFrame: (frame) => (hear(frame), tell({ frame })),
    onState: (value) => (state(value), tell({ state: value })),
  });
  state("asking");
  tell({ state: "asking" });
  setInterval(() => {
    if (document.visibilityState === "visible") hear({ event: "tick", data: {} });
    tell({ frame: { event: "tick", data: {} } });
  }, ASK_MS);
  await new Promise(() => {}); // keeps the lock: this tab asks for all
}

/** Starts following; once, at the start. */
export function startLive() {
  others?.addEventListener("message", ({ data }) => {
    if (data.frame) hear(data.frame);
    if (data.state) state(data.state);
    if (data.who && connection.value !== "connecting") tell({ state: connection.value });
  });
  tell({ who: true });
  if (navigator.locks && others) navigator.locks.request(NAME, lead);
  else lead(); // no locks on plain http: every tab has its own connection
}
