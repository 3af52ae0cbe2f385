// Contact data: masked until somebody asks for it; each look is written into the audit.
import { api } from "../../frame/api.js";
import { channelIcon, channelName } from "../../frame/channels.js";
import { t, word } from "../../frame/i18n.js";
import { icon } from "../../frame/icons.js";
import { Button } from "../../frame/parts.js";
import { may } from "../../frame/session.js";
import { classes, html, useState } from "../../frame/ui.js";

const TONES = { site: "good", platform: "", none: "warn" };

/** One value; `field` names what to ask for, '' when it is shown in clear. */
function Value({ customer, value }) {
  const [clear, setClear] = useState("");
  const show = async () => setClear((await api("POST", `/api/customers/${customer}/reveal`, { field: value.field })).text);
  return html`<div class="value"><dt>${word("contactField", value.name)}</dt><dd dir="auto"><span>${clear || value.text}</span>
    ${value.field && !clear && may("staff") && html`<${Button} look="tiny" run=${show} aria-label=${t("contacts.revealOf", { name: word("contactField", value.name) })}>${t("contacts.reveal")}</${Button}>`}</dd></div>`;
}

/** Addresses by channel, each with who says that it is theirs. */
export function Addresses({ person }) {
  return html`<ul class="addresses">${person.identities.map((one) => html`<li key=${one.id}>
    <div class="address-head">${icon(channelIcon(one.channel), 15)}<b>${channelName(one.channel)}${one.account === "default" ? "" : ` / ${one.account}`}</b>
      <span class=${classes("chip", TONES[one.proof])} title=${t(`contacts.proofs.${one.proof}Means`)}>${t(`contacts.proofs.${one.proof}`)}</span></div>
    <dl class="values">${one.values.map((value) => html`<${Value} key=${value.name} customer=${person.id} value=${value} />`)}</dl></li>`)}
    ${person.contacts.length > 0 && html`<li><div class="address-head">${icon("note", 15)}<b>${t("contacts.left")}</b></div>
      <dl class="values">${person.contacts.map((value) => html`<${Value} key=${value.field} customer=${person.id} value=${value} />`)}</dl></li>`}</ul>`;
}
