// The frame around every page: rail, top bar, the page itself, and what lies over it.
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { allowSingle, bound, singleKeys, useKeys } from "./keys.js";
import { connection } from "./live.js";
import { Dialog, Toasts } from "./overlay.js";
import { Palette } from "./palette.js";
import { Empty, Keys, Waiting } from "./parts.js";
import { found, href, pages, route } from "./router.js";
import { may } from "./session.js";
import { Silence, Top, searchField } from "./top.js";
import { html, useEffect, useState } from "./ui.js";

const Place = ({ page, current }) => html`<li><a href=${href(page.path)} aria-current=${current ? "page" : undefined} title=${t(page.title)}>
  ${icon(page.icon, 21)}<span>${t(page.title)}</span></a></li>`;

function Rail({ page }) {
  const shown = pages.filter((each) => may(each.role));
  const rows = (foot) => shown.filter((each) => Boolean(each.foot) === foot).map((each) => html`<${Place} key=${each.path} page=${each} current=${each === page} />`);
  return html`<nav class="rail" aria-label=${t("frame.pages")}><a class="rail-mark" href=${href("/inbox")} aria-label="frontdesk"><img src="/console/icon.svg" alt="" width="28" height="28" /></a>
    <ul>${rows(false)}</ul><ul class="foot">${rows(true)}</ul></nav>`;
}

function Help({ close }) {
  const groups = Map.groupBy ? Map.groupBy(bound.value.filter((row) => row.label), (row) => row.group) : new Map([["keys.all", bound.value]]);
  return html`<${Dialog} title=${t("frame.shortcuts")} close=${close} wide>
    <div class="shortcuts">${[...groups].map(([group, rows]) => html`<section key=${group}><h3>${t(group)}</h3><dl>${rows.map((row) => html`
      <div key=${row.keys}><dt>${t(row.label)}</dt><dd><${Keys} keys=${row.keys} /><span class="unseen">${row.keys}</span></dd></div>`)}</dl></section>`)}</div>
    <label class="tick-line"><input type="checkbox" checked=${singleKeys.value} onChange=${(event) => allowSingle(event.currentTarget.checked)} /> ${t("keys.single")}</label>
  </${Dialog}>`;
}

/** The module of a page, loaded when it is first gone to. */
function useView(page) {
  const [view, setView] = useState({ page: null, View: null, error: null });
  useEffect(() => {
    let wanted = true;
    page?.load().then(
      (module) => wanted && setView({ page, View: module.default, error: null }),
      (error) => wanted && setView({ page, View: null, error }),
    );
    return () => {
      wanted = false;
    };
  }, [page]);
  return view.page === page ? view : { View: null, error: null };
}

export function Frame() {
  const [over, setOver] = useState("");
  const { page, inside } = found(route.value.path);
  const allowed = page && may(page.role);
  const { View, error } = useView(allowed ? page : null);
  const close = () => setOver("");
  useKeys([
    { keys: "Mod+k", label: "keys.palette", group: "keys.everywhere", always: true, run: () => setOver((now) => (now === "palette" ? "" : "palette")) },
    { keys: "?", label: "keys.help", group: "keys.everywhere", run: () => setOver("help") },
    { keys: "/", label: "keys.search", group: "keys.everywhere", run: () => (searchField.current?.focus(), searchField.current?.select()) },
  ]);
  useEffect(() => {
    document.title = page ? `${t(page.title)} · frontdesk` : "frontdesk";
  });
  return html`<a class="skip" href="#main">${t("frame.skip")}</a>
    <div class="shell" data-connection=${connection.value}><${Rail} page=${page} />
      <div class="body"><${Top} palette=${() => setOver("palette")} help=${() => setOver("help")} /><${Silence} />
        <main id="main" tabindex="-1">${View ? html`<${View} inside=${inside} query=${route.value.query} />`
          : error ? html`<${Empty} picture="alert" title=${t("frame.broken")} text=${t("frame.brokenNext")} />`
          : page && !allowed ? html`<${Empty} picture="people" title=${t("frame.notAllowed")} text=${t("frame.notAllowedNext")} />` : html`<${Waiting} />`}</main>
      </div></div>
    ${over === "palette" && html`<${Palette} close=${close} />`}${over === "help" && html`<${Help} close=${close} />`}
    <${Toasts} />`;
}
