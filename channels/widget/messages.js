/** The message list on screen: one keyed row per message, pending message, day and draft, so that nothing is redrawn that did not change. */

import { choices, offered } from './choices.js';
import { Feedback } from './feedback.js';
import { make } from './icons.js';
import { render } from './markdown.js';
import { Sources, markDraft } from './sources.js';

const NEAR_END_PX = 80;
const SAME_GROUP_S = 300;

/** @typedef {import('./timeline.js').Message} Message */
/** @typedef {import('./timeline.js').Timeline} Timeline */
/** @typedef {ReturnType<Timeline['pending']['get']>} Pending */
/** @typedef {{node: HTMLElement, update: (item: any) => void}} Row */
/** @typedef {{key: string, kind: string, item: any}} Wanted */

export class MessageList {
  /**
   * @param {object} parts
   * @param {HTMLElement} parts.log the scrolling region
   * @param {HTMLElement} parts.list
   * @param {HTMLElement} parts.jump button that appears when newer messages are out of sight
   * @param {import('./locales.js').Words} parts.words
   * @param {(id: string, rating: import('./feedback.js').Rating) => Promise<boolean>} parts.rate
   * @param {(id: string) => void} parts.retry
   * @param {(id: string) => void} parts.discard
   * @param {(text: string) => void} parts.say
   */
  constructor(parts) {
    this.parts = parts;
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    this.live = false;
    this.sticking = true;
    parts.log.addEventListener('scroll', () => {
      this.sticking = this.atEnd;
      if (this.sticking) parts.jump.hidden = true;
    }, { passive: true });
    // The keyboard of a phone and a second line in the composer take room away: the newest message stays in sight.
    new ResizeObserver(() => this.sticking && this.toEnd()).observe(parts.log);
    parts.jump.addEventListener('click', () => this.toEnd());
  }

  get atEnd() {
    const { log } = this.parts;
    return log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
  }

  toEnd() {
    this.parts.log.scrollTop = this.parts.log.scrollHeight;
    this.parts.jump.hidden = true;
    this.sticking = true;
  }

  /** Forgets every row, for another language or another conversation. */
  clear() {
    this.rows.clear();
    this.parts.list.replaceChildren();
    this.live = false;
  }

  /** @param {Timeline} timeline */
  update(timeline) {
    const stick = this.sticking || !this.live;
    const wanted = this.#wanted(timeline);
    const keys = new Set(wanted.map((each) => each.key));
    let grown = false;
    for (const [key, row] of this.rows) {
      if (keys.has(key)) continue;
      row.node.remove();
      this.rows.delete(key);
    }
    let place = this.parts.list.firstElementChild;
    for (const { key, kind, item } of wanted) {
      let row = this.rows.get(key);
      if (!row) {
        row = this.#row(kind, item);
        row.node.classList.toggle('enter', this.live && kind !== 'assistant');
        this.rows.set(key, row);
        grown = grown || kind !== 'day';
      }
      row.update(item);
      if (row.node === place) place = place.nextElementSibling;
      else this.parts.list.insertBefore(row.node, place);
    }
    this.live = true;
    const own = wanted.at(-1)?.kind === 'customer' && grown;
    if (stick || own) this.toEnd();
    else if (grown) this.parts.jump.hidden = false;
  }

  /** @param {Timeline} timeline @returns {Wanted[]} */
  #wanted(timeline) {
    const pending = [...timeline.pending.values()].map((entry) => ({ ...entry, role: 'customer', client_message_id: entry.id, pending: entry }));
    const items = [...timeline.sorted, ...pending];
    /** @type {Wanted[]} */
    const wanted = [];
    let day = '';
    items.forEach((item, index) => {
      const date = new Date(item.at * 1000).toDateString();
      if (date !== day) wanted.push({ key: `day:${date}`, kind: 'day', item: { at: item.at } });
      const first = date !== day || !sameGroup(items[index - 1], item);
      const last = !sameGroup(item, items[index + 1]);
      day = date;
      wanted.push({ key: item.client_message_id ?? item.id, kind: item.role, item: { ...item, first, last } });
    });
    if (timeline.draft || timeline.awaiting()) {
      const first = items.at(-1)?.role !== 'assistant';
      wanted.push({ key: 'draft', kind: 'draft', item: { text: timeline.draft?.text ?? '', first, last: true } });
    }
    const offer = offered(timeline);
    if (offer) wanted.push({ key: `choices:${offer.id}`, kind: 'choices', item: offer });
    if (timeline.staffTypingUntil > Date.now()) wanted.push({ key: 'typing', kind: 'typing', item: { text: '', first: true, last: true } });
    return wanted;
  }

  /** @param {string} kind @param {any} item @returns {Row} */
  #row(kind, item) {
    if (kind === 'day') return this.#dayRow(item);
    if (kind === 'notice') return this.#noticeRow(item);
    if (kind === 'customer') return this.#customerRow(item);
    if (kind === 'choices') return this.#choicesRow(item);
    return this.#answerRow(kind, item);
  }

  /** @param {{at: number}} item @returns {Row} */
  #dayRow(item) {
    const label = this.parts.words.day(item.at);
    return { node: make('li', { className: 'day' }, make('span', {}, label)), update: () => undefined };
  }

  /** @param {Message} item @returns {Row} */
  #noticeRow(item) {
    return { node: make('li', { className: 'row notice' }, make('p', { dir: 'auto' }, item.text)), update: () => undefined };
  }

  /** The focus goes to the messages when the pressed button leaves. @param {{replies: string[]}} item @returns {Row} */
  #choicesRow(item) {
    const { words, log, say } = this.parts;
    const node = choices(words, item.replies, (text) => {
      log.focus({ preventScroll: true });
      say(text);
    });
    return { node, update: () => undefined };
  }

  /** @param {Message & {id: string}} item @returns {Row} */
  #customerRow(item) {
    const { words } = this.parts;
    const bubble = make('div', { className: 'bubble' }, make('div', { dir: 'auto' }, item.text));
    const meta = make('div', { className: 'meta' });
    const node = make('li', { className: 'row customer' }, make('span', { className: 'sr-only' }, `${words.t('you')}: `), bubble, meta);
    let shown = '';
    return {
      node,
      update: (next) => {
        group(node, next);
        const state = pendingState(next.pending);
        const signature = `${state}:${next.pending?.status}:${next.at}`;
        if (signature === shown) return;
        shown = signature;
        node.dataset.state = state;
        meta.replaceChildren(...(next.pending ? this.#pendingMeta(next.pending, state) : [this.#time(next.at)]));
      },
    };
  }

  /** @param {NonNullable<Pending>} entry @param {string} state */
  #pendingMeta(entry, state) {
    const { words, retry, discard } = this.parts;
    const reason = { 413: 'too_long', 422: 'refused' }[entry.status ?? 0];
    const text = state === 'refused' ? `${words.t('not_sent')} · ${words.t(reason ?? 'refused')}` : words.t(state);
    const parts = [make('span', { className: 'delivery' }, text)];
    if (state === 'kept' || state === 'refused') {
      parts.push(make('button', { type: 'button', className: 'link-button', onclick: () => retry(entry.id) }, words.t('retry')));
    }
    if (state === 'refused') parts.push(make('button', { type: 'button', className: 'link-button', onclick: () => discard(entry.id) }, words.t('discard')));
    return parts;
  }

  /** Answers of the assistant and of staff, the draft of one, and the dots before it. @param {string} kind @param {any} item @returns {Row} */
  #answerRow(kind, item) {
    const { words } = this.parts;
    const staff = kind === 'staff' || kind === 'typing';
    const bubble = make('div', { className: 'bubble' });
    const who = make('div', { className: 'who' }, make('span', { className: 'chip-label' }, words.t(staff ? 'team' : 'ai')),
      make('span', {}, staff ? item.author ?? '' : words.t('assistant')));
    const meta = make('div', { className: 'meta' });
    const node = make('li', { className: `row ${staff ? 'staff' : 'assistant'} ${kind}` }, who, bubble);
    if (kind === 'draft' || kind === 'typing') return this.#draftRow(node, bubble, staff ? 'staff_writing' : 'writing');
    render(bubble, item.text);
    if (item.citations?.length) {
      const sources = new Sources(words, item.citations);
      sources.markIn(bubble);
      node.append(sources.node);
    }
    node.append(meta);
    const feedback = kind === 'assistant' ? new Feedback(words, (rating) => this.parts.rate(item.id, rating)) : null;
    if (item.stopped) meta.append(make('span', { className: 'delivery' }, words.t('stopped')));
    if (feedback) meta.append(feedback.buttons);
    meta.append(this.#time(item.at));
    if (feedback) node.append(feedback.panel);
    return {
      node,
      update: (next) => {
        group(node, next);
        feedback?.update(next.feedback ?? null);
      },
    };
  }

  /** @param {HTMLElement} node @param {HTMLElement} bubble @param {string} label @returns {Row} */
  #draftRow(node, bubble, label) {
    const dots = make('div', { className: 'dots', role: 'img', 'aria-label': this.parts.words.t(label) }, make('i'), make('i'), make('i'));
    const text = make('div', { className: 'draft-text' });
    bubble.append(dots, text);
    node.setAttribute('aria-busy', 'true');
    let shown = '';
    return {
      node,
      update: (next) => {
        group(node, next);
        dots.hidden = next.text !== '';
        if (next.text === shown) return;
        shown = next.text;
        render(text, shown);
        markDraft(text);
      },
    };
  }

  /** @param {number} at */
  #time(at) {
    const { words } = this.parts;
    return make('time', { dateTime: new Date(at * 1000).toISOString(), title: words.moment(at) }, words.time(at));
  }
}

/** @param {HTMLElement} node @param {{first: boolean, last: boolean}} item */
function group(node, item) {
  node.classList.toggle('first', item.first);
  node.classList.toggle('last', item.last);
}

/** @param {any} a @param {any} b */
function sameGroup(a, b) {
  return Boolean(a && b) && a.role === b.role && (a.author ?? '') === (b.author ?? '') && Math.abs(b.at - a.at) < SAME_GROUP_S;
}

/** @param {Pending} entry */
function pendingState(entry) {
  if (!entry) return 'done';
  return entry.sent ? 'sent' : entry.state;
}
