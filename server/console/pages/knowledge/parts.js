// What the views of knowledge share: states, kinds, and the proof that a change is live.
import { Refusal, api } from "../../frame/api.js";
import { clock, t, word } from "../../frame/i18n.js";
import { classes, html, useEffect, useState } from "../../frame/ui.js";

const TONES = { indexed: "good", failed: "bad", queued: "", fetching: "warn", parsing: "warn" };
const LOOK_MS = 700;
const PATIENCE_MS = 60_000;

export const KIND_ICONS = { files: "file", site: "web", sql: "list", qa: "help", catalogue: "label", article: "edit" };
export const BUSY = new Set(["queued", "fetching", "parsing"]);

/** A state of a source or document. */
export const State = ({ state }) => html`<span class=${classes("chip", TONES[state], BUSY.has(state) && "busy")}>${word("knowledge.states", state)}</span>`;

/** Follows a document until customers get answers from it; `document` is how it was saved. */
export function Live({ document: saved, done }) {
  const [now, setNow] = useState(saved);
  useEffect(() => {
    setNow(saved);
    const began = performance.now();
    let timer;
    let wanted = true;
    const look = async () => {
      try {
        const { document } = await api("GET", `/api/knowledge/documents/${saved.id}`);
        if (!wanted) return;
        setNow(document);
        if (!BUSY.has(document.state)) done?.(document);
        else if (performance.now() - began < PATIENCE_MS) timer = setTimeout(look, LOOK_MS);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error; // gone meanwhile: what was shown stays
      }
    };
    if (BUSY.has(saved.state)) timer = setTimeout(look, LOOK_MS);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [saved.id, saved.version, saved.state]);
  if (now.state === "failed") return html`<p class="note bad" role="alert">${t("knowledge.notLive", { reason: now.reason || "" })}</p>`;
  const live = now.state === "indexed" && now.indexed_at;
  return html`<p class=${classes("chip live", live ? "good" : "warn")} role="status">${live ? t("knowledge.liveSince", { when: clock(now.indexed_at) }) : t("knowledge.goingLive")}</p>`;
}
