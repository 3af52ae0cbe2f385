// Start of the console: who is here, in which language, then the pages. Each page is loaded when it is gone to.
import { leave } from "./frame/api.js";
import { Frame } from "./frame/frame.js";
import { speak, t } from "./frame/i18n.js";
import { startKeys } from "./frame/keys.js";
import { startLive } from "./frame/live.js";
import { startNotices } from "./frame/notices.js";
import { found, register, route, startRouter } from "./frame/router.js";
import { followPresence, readPresence, readRelease, readService, readSwitch, signIn } from "./frame/session.js";
import { theme, wear } from "./frame/theme.js";
import { html, render } from "./frame/ui.js";

const STATE_MS = 5_000;

register({ path: "/inbox", title: "pages.inbox", icon: "inbox", load: () => import("./pages/inbox/page.js") });
register({ path: "/contacts", title: "pages.contacts", icon: "contacts", load: () => import("./pages/contacts.js") });
register({ path: "/knowledge", title: "pages.knowledge", icon: "knowledge", load: () => import("./pages/knowledge/page.js") });
register({ path: "/training", title: "pages.training", icon: "training", load: () => import("./pages/training/page.js") });
register({ path: "/analytics", title: "pages.analytics", icon: "analytics", load: () => import("./pages/analytics/page.js") });
register({ path: "/channels", title: "pages.channels", icon: "channels", load: () => import("./pages/channels/page.js") });
register({ path: "/people", title: "pages.people", icon: "people", foot: true, load: () => import("./pages/people.js") });
register({ path: "/settings", title: "pages.settings", icon: "settings", foot: true, load: () => import("./pages/settings.js") });

/** Reads what the top bar shows; the next round tries again, the bar itself says what is wrong. */
const readState = () => Promise.allSettled([readService(), readSwitch()]);

async function start() {
  wear(theme.value);
  found(route.value.path).page?.load().catch(() => {}); // beside the session; the frame asks again and says what is wrong
  const [, signed] = await Promise.allSettled([speak(), signIn()]);
  const box = document.getElementById("app");
  if (signed.status === "rejected") {
    if (signed.reason.status === 401) return leave();
    return render(html`<p class="note bad start-trouble" role="alert">${signed.reason.message} <a href="">${t("retry")}</a></p>`, box);
  }
  startRouter();
  startKeys();
  startLive();
  startNotices();
  followPresence();
  render(html`<${Frame} />`, box);
  await Promise.allSettled([readState(), readPresence(), readRelease()]);
  setInterval(() => document.visibilityState === "visible" && readState(), STATE_MS);
  return undefined;
}

start();
