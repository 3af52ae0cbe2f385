// What changes a release: asked for once more, with a reason where the gate did not say yes, and told how long it took.
import { api } from "../../frame/api.js";
import { number, t } from "../../frame/i18n.js";
import { Dialog, failed, toast } from "../../frame/overlay.js";
import { readRelease } from "../../frame/session.js";
import { html, signal, useState } from "../../frame/ui.js";

/** The move that is asked about: {kind, path, body, release, needs} or null. */
export const asking = signal(null);

const DANGER = ["roll_back", "canary_back", "stop"];

/** The dialogue of a move; `done` reads again what it changed. */
export function Sure({ done }) {
  const [wrong, setWrong] = useState("");
  const [busy, setBusy] = useState(false);
  const move = asking.value;
  if (!move) return null;
  const close = () => (setWrong(""), (asking.value = null));
  const go = async (event) => {
    event.preventDefault();
    const reason = new FormData(event.currentTarget).get("reason")?.trim() || "";
    if (move.needs && !reason) return setWrong(t("promote.reasonNeeded"));
    setBusy(true);
    const began = performance.now();
    try {
      await api("POST", move.path, { ...move.body, ...(reason && { reason }) });
      toast(t(`promote.did.${move.kind}`, { seconds: number((performance.now() - began) / 1000) }));
      close();
    } catch (error) {
      if (error.status === undefined) throw error;
      setWrong(error.message);
    } finally {
      setBusy(false);
    }
    await Promise.all([done(), readRelease()]).catch(failed);
    return undefined;
  };
  return html`<${Dialog} title=${t(`promote.sure.${move.kind}`)} close=${close}><form class="sure" onSubmit=${go}><p>${t(`promote.means.${move.kind}`)}</p>
    ${move.warn && html`<p class="note warn">${move.warn}</p>`}
    <label>${t(move.needs ? "promote.reason" : "promote.reasonMay")}<textarea name="reason" rows="2" maxlength="500" required=${move.needs} aria-invalid=${wrong && move.needs ? "true" : undefined}></textarea><small>${t("promote.reasonKept")}</small></label>
    ${wrong && html`<p class="note bad" role="alert">${wrong}</p>`}
    <div class="acts end"><button type="button" onClick=${close}>${t("cancel")}</button><button type="submit" class=${DANGER.includes(move.kind) ? "danger" : "main"} disabled=${busy}>${t(`promote.do.${move.kind}`)}</button></div></form></${Dialog}>`;
}
