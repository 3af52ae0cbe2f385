// Text in a platform's own markup, drawn as the platform would; everything else stays text.
import { Marked } from "../inbox/bubble.js";
import { html } from "../../frame/ui.js";

const TAGS = { B: "b", STRONG: "b", I: "i", EM: "i", U: "u", S: "s", CODE: "code", PRE: "pre", BLOCKQUOTE: "blockquote" };
const SAFE = /^(https?:|mailto:|tel:)/i;

function drawn(node) {
  if (node.nodeType === Node.TEXT_NODE) return node.data;
  const inner = [...node.childNodes].map(drawn);
  if (node.nodeName === "A" && SAFE.test(node.getAttribute("href") || "")) return html`<a href=${node.getAttribute("href")} target="_blank" rel="noopener noreferrer nofollow">${inner}</a>`;
  const Tag = TAGS[node.nodeName];
  return Tag ? html`<${Tag}>${inner}</${Tag}>` : inner;
}

/** Telegram's HTML: a parsed document runs nothing, and only its known tags are drawn again. */
const Html = ({ text }) => html`<div class="written" dir="auto">${[...new DOMParser().parseFromString(text, "text/html").body.childNodes].map(drawn)}</div>`;

const SIGNS = [["```", "pre"], ["*", "b"], ["_", "i"], ["~", "s"], ["`", "code"]];
const edge = (letter) => letter === undefined || !/[\p{L}\p{N}]/u.test(letter);

/** WhatsApp's signs around words, innermost last. */
function signed(text) {
  for (let at = 0; at < text.length; at += 1) {
    for (const [sign, Tag] of SIGNS) {
      if (!text.startsWith(sign, at) || !edge(text[at - 1])) continue;
      const end = text.indexOf(sign, at + sign.length + 1);
      if (end < 0 || !edge(text[end + sign.length]) || (sign.length === 1 && text.slice(at, end).includes("\n"))) continue;
      const inside = text.slice(at + sign.length, end);
      return [text.slice(0, at), html`<${Tag}>${Tag === "pre" || Tag === "code" ? inside : signed(inside)}</${Tag}>`, ...signed(text.slice(end + sign.length))];
    }
  }
  return [text];
}

const WhatsApp = ({ text }) => html`<div class="written" dir="auto">${signed(text)}</div>`;
const Plain = ({ text }) => html`<div class="written" dir="auto">${text}</div>`;
const VIEWS = { html: Html, whatsapp: WhatsApp, markdown: Marked, plain: Plain };

/** One platform message as its customer reads it. */
export const Written = ({ part }) => html`<${VIEWS[part.markup] || Plain} text=${part.text} />`;
