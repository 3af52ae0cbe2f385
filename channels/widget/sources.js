/** The sources under an answer: numbered marks in its text lead to a list, and each entry of the list opens its quote.
 *
 * The server has checked that every source was in the answer's prompt; a number that is not in the list stays text.
 */

import { make } from './icons.js';
import { plain } from './markdown.js';

const MARK = /\[(\d{1,2})\]/g;
const MARKS_FOR_THE_EAR = /\s*\[\d{1,2}\]/g;
const UNMARKED = 'a, code, pre, .mark'; // what stands there is shown as it is

/** @typedef {{number: number, title: string, heading?: string, url?: string, quote?: string}} Citation */

/** Puts a node in place of every `[n]` that `node` knows; null leaves the text.
 * @param {Element} box @param {(number: number) => Node|null} node
 */
export function mark(box, node) {
  const walker = document.createTreeWalker(box, NodeFilter.SHOW_TEXT);
  const texts = /** @type {Text[]} */ ([]);
  while (walker.nextNode()) texts.push(/** @type {Text} */ (walker.currentNode));
  for (const text of texts) {
    if (!text.data.includes('[') || text.parentElement?.closest(UNMARKED)) continue;
    const parts = /** @type {(Node|string)[]} */ ([]);
    let from = 0;
    for (const hit of text.data.matchAll(MARK)) {
      const made = node(Number(hit[1]));
      if (!made) continue;
      parts.push(text.data.slice(from, hit.index).replace(/\s+$/, ''), made);
      from = hit.index + hit[0].length;
    }
    if (parts.length) text.replaceWith(...parts, text.data.slice(from));
  }
}

/** Marks of an answer that is still being written: they lead nowhere yet. @param {Element} box */
export function markDraft(box) {
  mark(box, (number) => make('sup', { className: 'mark' }, String(number)));
}

/** What a screen reader hears of a message: its words without marks, then how many sources there are, then the choices.
 * @param {import('./timeline.js').Message} message @param {import('./locales.js').Words} words
 */
export function spoken(message, words) {
  const cited = message.citations ?? [];
  const text = message.role === 'notice' ? message.text : plain(cited.length ? message.text.replace(MARKS_FOR_THE_EAR, '') : message.text);
  const after = [];
  if (cited.length) after.push(words.t('source_count', { n: cited.length }));
  if (message.replies?.length) after.push(`${words.t('choices')}: ${message.replies.join(', ')}`);
  return [text, ...after].join('\n');
}

/** Only pages can be opened; a local desk has them on plain http. @param {string} [url] */
function pageHref(url = '') {
  try {
    const parsed = new URL(url);
    return parsed.protocol === 'https:' || parsed.protocol === 'http:' ? parsed.href : '';
  } catch {
    return '';
  }
}

const WHOLE = 200; // characters: the server cuts longer quotes, also in the middle of a word
const RULER = /^[\s|:-]+$/; // between a table's head and its rows
const BULLET = /^\s*(?:[-*+]|\d{1,3}[.)])\s+/;

/** A passage's words as running text: its Markdown (tables, lists, bold) would be in the way. @param {string} quote */
function quoted(quote) {
  const lines = quote.split('\n').filter((line) => !RULER.test(line)).map((line) => line
    .replace(BULLET, '').replace(/^\s*\|\s*|\s*\|\s*$/g, '').replace(/\s*\|\s*/g, ' · '));
  const text = plain(lines.join('\n\n'));
  return [...quote].length < WHOLE ? text : `${text.replace(/[\s·]*\S*$/, '')} …`;
}

let made = 0;

/** The list under one answer. */
export class Sources {
  /** @param {import('./locales.js').Words} words @param {Citation[]} citations */
  constructor(words, citations) {
    made += 1;
    this.words = words;
    this.citations = citations;
    this.open = 0;
    /** @type {Map<number, HTMLButtonElement>} */
    this.buttons = new Map();
    this.panel = make('div', { className: 'source-panel', id: `source-${made}`, hidden: true });
    const items = citations.map((citation) => make('li', {}, this.#button(citation)));
    this.node = make('div', { className: 'sources' },
      make('ol', { className: 'source-list', 'aria-label': words.t('sources') }, ...items), this.panel);
  }

  /** Makes the marks in an answer's text lead here. @param {Element} bubble */
  markIn(bubble) {
    mark(bubble, (number) => {
      const citation = this.citations.find((each) => each.number === number);
      if (!citation) return null;
      const label = this.words.t('source', { n: number, name: citation.title });
      const link = make('a', {
        className: 'mark', href: `#${this.panel.id}`, title: label, 'aria-label': label, role: 'doc-noteref',
        onclick: (/** @type {Event} */ event) => {
          event.preventDefault();
          this.#show(number, true);
        },
      }, String(number));
      return make('sup', {}, link);
    });
  }

  /** @param {Citation} citation */
  #button(citation) {
    const button = make('button', {
      type: 'button', className: 'source', 'aria-expanded': 'false', 'aria-controls': this.panel.id,
      onclick: () => this.#show(this.open === citation.number ? 0 : citation.number, false),
    }, make('span', { className: 'source-number' }, String(citation.number)), make('span', { className: 'source-title', dir: 'auto' }, citation.title));
    this.buttons.set(citation.number, button);
    return button;
  }

  /** @param {number} number 0 closes the panel @param {boolean} lead whether the focus goes along */
  #show(number, lead) {
    this.open = number;
    for (const [each, button] of this.buttons) button.setAttribute('aria-expanded', String(each === number));
    const citation = this.citations.find((each) => each.number === number);
    this.panel.hidden = !citation;
    if (!citation) return;
    const href = pageHref(citation.url);
    const place = (citation.heading ?? '').split(' > ').filter((each) => each && each !== citation.title);
    this.panel.replaceChildren(
      make('p', { className: 'source-name', dir: 'auto' }, make('strong', {}, citation.title), ...place.map((each) => ` › ${each}`)),
      ...(citation.quote ? [make('blockquote', { dir: 'auto' }, quoted(citation.quote))] : []),
      ...(href ? [make('a', { className: 'source-open', href, target: '_blank', rel: 'noopener nofollow', title: href }, this.words.t('open_source'))] : []),
    );
    if (lead) this.buttons.get(number)?.focus({ preventScroll: true });
    this.panel.scrollIntoView({ block: 'nearest' });
  }
}
