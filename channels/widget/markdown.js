/** A safe Markdown subset, built from DOM nodes and text only.
 *
 * Paragraphs, bold, italic, lists, inline code, code blocks, headings (as bold lines), quotes, https and mailto links.
 * Never innerHTML, never an image, never another scheme: what is not understood stays visible as text.
 * Every scan is linear: a delimiter without a closer is remembered, so hostile text costs no more than plain text.
 */

const MAX_DEPTH = 4;
const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)/;
const BULLET = /^( {0,3})([-*+])\s+(.*)$/;
const NUMBER = /^( {0,3})(\d{1,9})[.)]\s+(.*)$/;
const HEADING = /^ {0,3}#{1,6}\s+(.*?)\s*#*$/;
const RULE = /^ {0,3}(?:-{3,}|\*{3,}|_{3,})\s*$/;
const QUOTE = /^ {0,3}> ?(.*)$/;
const BARE_LINK = /https:\/\/[^\s<>"'`]+/y;
const ESCAPABLE = /[\\`*_{}[\]()#+\-.!>~|]/;
const WORD = /[\p{L}\p{N}_]/u;

/** @typedef {{kind: 'p'|'h'|'hr'|'code'|'quote'|'ul'|'ol', lines: string[], items?: string[][], start?: number}} Block */

/** @param {string} line */
const opensBlock = (line) => FENCE.test(line) || BULLET.test(line) || NUMBER.test(line) || HEADING.test(line) || QUOTE.test(line) || RULE.test(line);

/** @param {string[]} lines @param {number} from @returns {[Block, number]} */
function fenced(lines, from) {
  const fence = /** @type {RegExpExecArray} */ (FENCE.exec(lines[from]))[1];
  let at = from + 1;
  while (at < lines.length && !lines[at].trim().startsWith(fence)) at += 1;
  return [{ kind: 'code', lines: lines.slice(from + 1, at) }, at + 1];
}

/** @param {string[]} lines @param {number} from @param {RegExp} marker @returns {[Block, number]} */
function list(lines, from, marker) {
  const ordered = marker === NUMBER;
  const items = /** @type {string[][]} */ ([]);
  let at = from;
  for (; at < lines.length; at += 1) {
    const hit = marker.exec(lines[at]);
    const indented = /^(?: {2,}|\t)(.*)$/.exec(lines[at]);
    if (hit && (hit[1].length < 2 || !items.length)) items.push([hit[3]]);
    else if (indented && items.length) items[items.length - 1].push(lines[at].replace(/^(?: {1,4}|\t)/, ''));
    else if (!lines[at].trim() && (marker.test(lines[at + 1] ?? '') || /^ {2,}\S/.test(lines[at + 1] ?? ''))) continue;
    else break;
  }
  const start = ordered ? Number(/** @type {RegExpExecArray} */ (NUMBER.exec(lines[from]))[2]) : 1;
  return [{ kind: ordered ? 'ol' : 'ul', lines: lines.slice(from, at), items, start }, at];
}

/** @param {string[]} lines @param {number} from @returns {[Block, number]} */
function paragraph(lines, from) {
  let at = from + 1;
  while (at < lines.length && lines[at].trim() && !opensBlock(lines[at])) at += 1;
  return [{ kind: 'p', lines: lines.slice(from, at) }, at];
}

/** @param {string[]} lines @returns {Block[]} */
export function blocks(lines) {
  const found = /** @type {Block[]} */ ([]);
  for (let at = 0; at < lines.length;) {
    const line = lines[at];
    let block = /** @type {Block|null} */ (null);
    if (!line.trim()) at += 1;
    else if (FENCE.test(line)) [block, at] = fenced(lines, at);
    else if (RULE.test(line)) [block, at] = [{ kind: 'hr', lines: [line] }, at + 1];
    else if (HEADING.test(line)) [block, at] = [{ kind: 'h', lines: [line.replace(HEADING, '$1')] }, at + 1];
    else if (QUOTE.test(line)) {
      const from = at;
      while (at < lines.length && QUOTE.test(lines[at])) at += 1;
      block = { kind: 'quote', lines: lines.slice(from, at).map((each) => each.replace(QUOTE, '$1')) };
    } else if (BULLET.test(line)) [block, at] = list(lines, at, BULLET);
    else if (NUMBER.test(line)) [block, at] = list(lines, at, NUMBER);
    else [block, at] = paragraph(lines, at);
    if (block) found.push(block);
  }
  return found;
}

/** @param {string} url @returns {string} the address when its scheme is allowed, else '' */
export function safeHref(url) {
  try {
    const parsed = new URL(url);
    return parsed.protocol === 'https:' || parsed.protocol === 'mailto:' ? parsed.href : '';
  } catch {
    return '';
  }
}

/** @param {Node} parent @param {string} href @param {string} label @param {number} depth */
function anchor(parent, href, label, depth) {
  const link = document.createElement('a');
  link.href = href;
  link.target = '_blank';
  link.rel = 'noopener nofollow';
  link.title = href;
  if (depth < 0) link.textContent = label;
  else inline(link, label, depth + 1, true);
  parent.appendChild(link);
}

/** Reads one inline construct at `at`; 0 means "not one, keep the character".
 * @typedef {(text: string, at: number, parent: Node, depth: number, dead: Set<string>) => number} Reader
 */

/** @type {Reader} */
function code(text, at, parent, _depth, dead) {
  let ticks = 1;
  while (text[at + ticks] === '`') ticks += 1;
  const fence = '`'.repeat(ticks);
  if (dead.has(fence)) return 0;
  const end = text.indexOf(fence, at + ticks);
  if (end < 0) {
    dead.add(fence);
    return 0;
  }
  parent.appendChild(document.createElement('code')).textContent = text.slice(at + ticks, end).trim();
  return end + ticks;
}

/** @type {Reader} */
function emphasis(text, at, parent, depth, dead) {
  const mark = text[at + 1] === text[at] ? text.slice(at, at + 2) : text[at];
  const from = at + mark.length;
  if (dead.has(mark) || depth > MAX_DEPTH || !text[from] || /\s/.test(text[from])) return 0;
  if (mark[0] === '_' && WORD.test(text[at - 1] ?? '')) return 0;
  let end = text.indexOf(mark, from + 1);
  while (end >= 0) {
    const alone = mark.length === 2 || (text[end + 1] !== mark && text[end - 1] !== mark);
    const closes = !/\s/.test(text[end - 1]) && !(mark[0] === '_' && WORD.test(text[end + mark.length] ?? ''));
    if (alone && closes) break;
    end = text.indexOf(mark, end + (alone ? 1 : 2));
  }
  if (end < 0) {
    dead.add(mark);
    return 0;
  }
  inline(parent.appendChild(document.createElement(mark.length === 2 ? 'strong' : 'em')), text.slice(from, end), depth + 1);
  return end + mark.length;
}

/** @type {Reader} */
function link(text, at, parent, depth, dead) {
  const image = text[at] === '!';
  if (dead.has('[')) return 0;
  const close = text.indexOf('](', at);
  const end = close < 0 ? -1 : text.indexOf(')', close + 2);
  if (end < 0) {
    dead.add('[');
    return 0;
  }
  const label = text.slice(at + (image ? 2 : 1), close);
  if (label.includes('[')) return 0;
  const href = safeHref(text.slice(close + 2, end).trim().split(/\s/)[0].replace(/^<|>$/g, ''));
  if (image || !href) parent.appendChild(document.createTextNode(label));
  else anchor(parent, href, label, depth);
  return end + 1;
}

/** @type {Reader} */
function bareLink(text, at, parent) {
  BARE_LINK.lastIndex = at;
  const hit = BARE_LINK.exec(text);
  if (!hit) return 0;
  let url = hit[0].replace(/[.,;:!?*_\]]+$/, '');
  if (url.endsWith(')') && !url.includes('(')) url = url.slice(0, -1);
  const href = safeHref(url);
  if (!href) return 0;
  anchor(parent, href, url, -1);
  return at + url.length;
}

/** @param {string} text @param {number} at @param {boolean} inLink @returns {Reader|null} */
function readerFor(text, at, inLink) {
  const char = text[at];
  if (char === '`') return code;
  if (char === '*' || char === '_') return emphasis;
  if (inLink) return null;
  if (char === '[' || (char === '!' && text[at + 1] === '[')) return link;
  return char === 'h' && text.startsWith('https://', at) && !WORD.test(text[at - 1] ?? '') ? bareLink : null;
}

/** Appends one paragraph's text with its inline marks.
 * @param {Node} parent @param {string} text @param {number} [depth] @param {boolean} [inLink]
 */
export function inline(parent, text, depth = 0, inLink = false) {
  const dead = new Set();
  let plain = '';
  const flush = () => {
    if (plain) parent.appendChild(document.createTextNode(plain));
    plain = '';
  };
  for (let at = 0; at < text.length;) {
    const char = text[at];
    if (char === '\\' && ESCAPABLE.test(text[at + 1] ?? '')) {
      plain += text[at + 1];
      at += 2;
    } else if (char === '\n') {
      flush();
      parent.appendChild(document.createElement('br'));
      at += 1;
    } else {
      const reader = readerFor(text, at, inLink);
      const holder = reader && document.createDocumentFragment();
      const end = reader ? reader(text, at, /** @type {Node} */ (holder), depth, dead) : 0;
      if (end) {
        flush();
        parent.appendChild(/** @type {Node} */ (holder));
      } else plain += char;
      at = end || at + 1;
    }
  }
  flush();
}

/** @param {Block} block @param {number} depth @returns {HTMLElement} */
function build(block, depth) {
  if (block.kind === 'hr') return document.createElement('hr');
  if (block.kind === 'code') {
    const pre = document.createElement('pre');
    pre.tabIndex = 0; // a block that scrolls sideways must be reachable by keyboard
    pre.appendChild(document.createElement('code')).textContent = block.lines.join('\n');
    return pre;
  }
  if (block.kind === 'ul' || block.kind === 'ol') {
    const node = document.createElement(block.kind);
    if (node instanceof HTMLOListElement) node.start = block.start ?? 1;
    for (const item of block.items ?? []) fill(node.appendChild(document.createElement('li')), item, depth + 1);
    return node;
  }
  if (block.kind === 'quote') {
    const node = document.createElement('blockquote');
    fill(node, block.lines, depth + 1);
    return node;
  }
  const node = document.createElement('p');
  const target = block.kind === 'h' ? node.appendChild(document.createElement('strong')) : node;
  inline(target, block.lines.map((line) => line.trim()).join('\n'));
  node.dir = 'auto';
  return node;
}

/** @param {HTMLElement} parent @param {string[]} lines @param {number} depth */
function fill(parent, lines, depth) {
  parent.dir = 'auto';
  if (depth > MAX_DEPTH) {
    parent.textContent = lines.join('\n');
    return;
  }
  blocks(lines).forEach((block, index) => {
    if (block.kind === 'p' && index === 0) inline(parent, block.lines.map((line) => line.trim()).join('\n'));
    else parent.appendChild(build(block, depth));
  });
}

/** @type {WeakMap<Element, string[]>} what each rendered child was made from, so that a stream redraws its last block only */
const drawn = new WeakMap();

/** Draws `text` into `parent`, keeping the blocks that did not change since the last call.
 * @param {HTMLElement} parent @param {string} text
 */
export function render(parent, text) {
  const next = blocks(text.replace(/\r\n?/g, '\n').split('\n'));
  const keys = next.map((block) => `${block.kind}\n${block.lines.join('\n')}`);
  const before = drawn.get(parent) ?? [];
  let same = 0;
  while (same < keys.length && same < before.length && keys[same] === before[same]) same += 1;
  while (parent.children.length > same) parent.lastElementChild?.remove();
  for (const block of next.slice(same)) parent.appendChild(build(block, 0));
  drawn.set(parent, keys);
}

/** The text as a screen reader should hear it: the rendered words without marks.
 * @param {string} text
 */
export function plain(text) {
  const box = document.createElement('div');
  render(box, text);
  return [...box.children].map((child) => child.textContent).join(' ').trim();
}
