// One server-sent event stream over fetch: parsed here, resumed at the last id, reopened with backoff and jitter.

const FIRST_MS = 400;
const LONGEST_MS = 15_000;
const SILENCE_MS = 40_000; // the server pings every 15 s; two missed pings mean a connection that is half open

/** The frames of a text stream; comments and unreadable data are dropped. */
export function parser() {
  let rest = "";
  return (chunk) => {
    const parts = (rest + chunk).replace(/\r\n/g, "\n").split("\n\n");
    rest = parts.pop();
    return parts.map(read).filter(Boolean);
  };
}

function read(text) {
  const frame = { id: null, event: "message", data: "" };
  for (const line of text.split("\n")) {
    const [, name, value] = /^(\w+): ?(.*)$/.exec(line) || [];
    if (name === "data") frame.data += value;
    else if (name) frame[name] = value;
  }
  try {
    return frame.data ? { ...frame, data: JSON.parse(frame.data) } : null;
  } catch {
    return null;
  }
}

/** Waits, at most until the network or the window comes back. */
const pause = (ms) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    addEventListener("online", () => (clearTimeout(timer), resolve()), { once: true });
  });

/** Keeps a stream open for as long as the page lives. `lastId()` is where to go on, `onFrame` gets each frame, `onState`
 * "live" or "lost". Answers when the server has no such address. */
export async function follow(path, { lastId, onFrame, onState }) {
  for (let failures = 0; ; failures += 1) {
    const outcome = await connect(path, { lastId, onFrame, onState, steady: () => (failures = 0) });
    if (outcome === "absent") return;
    if (outcome !== "resume") onState("lost");
    await pause(FIRST_MS / 2 + Math.random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** failures));
  }
}

async function connect(path, { lastId, onFrame, onState, steady }) {
  const controller = new AbortController();
  const stop = () => controller.abort();
  let watchdog = setTimeout(stop, SILENCE_MS);
  try {
    const headers = { Accept: "text/event-stream" };
    if (lastId()) headers["Last-Event-ID"] = lastId();
    const answer = await fetch(path, { headers, signal: controller.signal, cache: "no-store" });
    if (answer.status === 404) return "absent";
    if (!answer.ok) return "lost";
    onState("live");
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const parse = parser();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return "lost";
      clearTimeout(watchdog);
      watchdog = setTimeout(stop, SILENCE_MS);
      for (const frame of parse(value)) {
        if (frame.event === "resume") return "resume";
        steady();
        onFrame(frame);
      }
    }
  } catch {
    return "lost";
  } finally {
    clearTimeout(watchdog);
    controller.abort();
  }
}
