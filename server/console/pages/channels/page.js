// Channels: whether each account works, what platforms deliver and take, and a simulator that needs none of them.
import { t } from "../../frame/i18n.js";
import { Empty } from "../../frame/parts.js";
import { href } from "../../frame/router.js";
import { may } from "../../frame/session.js";
import { sheet } from "../../frame/sheet.js";
import { html } from "../../frame/ui.js";
import { Accounts } from "./accounts.js";
import { Simulator } from "./simulator.js";

await Promise.all([sheet("knowledge.css"), sheet("channels.css")]);

export default function Channels({ inside, query }) {
  const [name, platform] = inside.split("/");
  const current = name || "accounts";
  const shown = ["accounts", ...(may("staff") ? ["simulator"] : [])];
  return html`<div class="page channels">
    <header class="page-head"><h1>${t("pages.channels")}</h1></header>
    <nav class="tabs" aria-label=${t("channels.parts")}>${shown.map((each) => html`<a key=${each} href=${href(`/channels/${each}`)} aria-current=${each === current ? "page" : undefined}>${t(`channels.tabs.${each}`)}</a>`)}</nav>
    ${current === "accounts" ? html`<${Accounts} />` : current === "simulator" && may("staff") ? html`<${Simulator} platform=${platform || "web"} session=${query.session || "0"} />`
      : html`<${Empty} picture="people" title=${t("frame.notAllowed")} text=${t("frame.notAllowedNext")} />`}
  </div>`;
}
