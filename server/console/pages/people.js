// People: who may sign in, teams and what they see, who did what, and one's own account. Each tab has its address.
import { t } from "../frame/i18n.js";
import { Empty } from "../frame/parts.js";
import { href } from "../frame/router.js";
import { may } from "../frame/session.js";
import { sheet } from "../frame/sheet.js";
import { html } from "../frame/ui.js";
import { Account } from "./people/account.js";
import { Audit } from "./people/audit.js";
import { Everybody } from "./people/everybody.js";
import { Teams } from "./people/teams.js";

await sheet("people.css");

const TABS = [
  { inside: "", title: "people.title", role: "admin", View: Everybody },
  { inside: "teams", title: "teams.title", role: "admin", View: Teams },
  { inside: "audit", title: "audit.title", role: "admin", View: Audit },
  { inside: "me", title: "account.title", role: "viewer", View: Account },
];

export default function People({ inside, query }) {
  const tabs = TABS.filter((tab) => may(tab.role));
  const tab = tabs.find((each) => each.inside === inside) || (inside ? null : tabs[0]);
  return html`<div class="page"><h1>${t("pages.people")}</h1>
    <nav class="tabs" aria-label=${t("pages.people")}>${tabs.map((each) => html`<a key=${each.inside} href=${href(each.inside ? `/people/${each.inside}` : "/people")} aria-current=${each === tab ? "page" : undefined}>${t(each.title)}</a>`)}</nav>
    ${tab ? html`<${tab.View} query=${query} />` : html`<${Empty} title=${t("frame.notAllowed")} text=${t("frame.notAllowedNext")} picture="people" />`}</div>`;
}
