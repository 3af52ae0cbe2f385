// A customer has waited too long: a notice of the system while the console is in the background, a toast otherwise.
import { channelName } from "./channels.js";
import { t } from "./i18n.js";
import { listen } from "./live.js";
import { toast } from "./overlay.js";
import { go } from "./router.js";
import { signal } from "./ui.js";

const ICON = "/console/icon.svg";
const now = () => ("Notification" in window && window.isSecureContext ? Notification.permission : "missing");

/** Whether this browser may show notices: default (not asked yet), granted, denied, missing. */
export const notices = signal(now());

/** Asks the browser; only ever after a press. */
export async function askNotices() {
  await Notification.requestPermission();
  notices.value = now();
}

function show(conversation, channel) {
  const text = t("notices.waits", { channel: channelName(channel) });
  const open = () => go(`/inbox/${conversation}`);
  if (document.visibilityState === "visible" || notices.value !== "granted") return toast(text, { undo: open, label: t("notices.open") });
  // tabs of one browser share the tag: the system shows one notice for all of them
  const notice = new Notification(text, { icon: ICON, tag: `alert-${conversation}` });
  notice.onclick = () => (window.focus(), open(), notice.close());
  return undefined;
}

/** Starts listening; once, at the start. */
export const startNotices = () => listen(({ event, data }) => event === "alert" && show(data.conversation, data.body.channel));
