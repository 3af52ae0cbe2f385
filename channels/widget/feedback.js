/** Thumbs under an answer, and after a thumb down the reason chips with an optional comment. */

import { icon, make } from './icons.js';

const REASONS = ['wrong', 'unclear', 'incomplete', 'tone', 'other'];
const COMMENT_CHARACTERS = 1000;

/** @typedef {{value: 'up'|'down'|null, reason?: string, comment?: string}} Rating */

export class Feedback {
  /**
   * @param {import('./locales.js').Words} words
   * @param {(rating: Rating) => Promise<boolean>} rate resolves to false when the server did not take it
   */
  constructor(words, rate) {
    this.words = words;
    this.rate = rate;
    /** @type {'up'|'down'|null} */
    this.value = null;
    this.reason = '';
    /** @type {Promise<boolean>} */
    this.told = Promise.resolve(true);
    const t = (/** @type {string} */ key) => words.t(key);
    this.thumbs = { up: this.#thumb('up', t('good')), down: this.#thumb('down', t('bad')) };
    this.buttons = make('div', { className: 'thumbs', role: 'group', 'aria-label': t('rate') }, this.thumbs.up, this.thumbs.down);
    this.panel = make('div', { className: 'reasons', hidden: true });
  }

  /** @param {'up'|'down'} value @param {string} label */
  #thumb(value, label) {
    return make('button', {
      type: 'button', className: 'thumb', title: label, 'aria-label': label, 'aria-pressed': 'false',
      onclick: () => this.#press(value),
    }, icon(value));
  }

  /** What the server says it is; an open reason panel is left alone while it still applies. @param {'up'|'down'|null} value */
  update(value) {
    this.value = value;
    for (const [each, button] of Object.entries(this.thumbs)) button.setAttribute('aria-pressed', String(each === value));
    if (value !== 'down') this.panel.hidden = true;
  }

  /** @param {'up'|'down'} value */
  async #press(value) {
    const before = this.value;
    const next = before === value ? null : value;
    this.update(next);
    this.reason = '';
    if (next === 'down') this.#ask();
    if (!(await this.#tell({ value: next }))) this.update(before);
  }

  #ask() {
    const { words } = this;
    const chips = REASONS.map((reason) => make('button', {
      type: 'button', className: 'chip', 'aria-pressed': 'false', 'data-reason': reason, onclick: () => this.#choose(reason),
    }, words.t(reason)));
    this.panel.replaceChildren(make('p', { className: 'reasons-title' }, words.t('why')),
      make('div', { className: 'chips', role: 'group', 'aria-label': words.t('why') }, ...chips));
    this.panel.hidden = false;
    this.panel.scrollIntoView({ block: 'nearest' });
  }

  /** @param {string} reason */
  async #choose(reason) {
    this.reason = reason;
    for (const chip of this.panel.querySelectorAll('.chip')) chip.setAttribute('aria-pressed', String(chip.dataset.reason === reason));
    if (!this.panel.querySelector('form')) this.#askMore();
    await this.#tell({ value: 'down', reason });
  }

  /** One after the other: a reason must not overtake the thumb it belongs to. @param {Rating} rating */
  #tell(rating) {
    this.told = this.told.catch(() => false).then(() => this.rate(rating));
    return this.told;
  }

  #askMore() {
    this.panel.append(this.#commentForm());
    this.panel.scrollIntoView({ block: 'nearest' });
  }

  #commentForm() {
    const label = this.words.t('comment');
    const field = make('input', { type: 'text', className: 'comment', maxLength: COMMENT_CHARACTERS, placeholder: label, 'aria-label': label, dir: 'auto' });
    const send = make('button', { className: 'comment-send', 'aria-label': this.words.t('comment_send'), title: this.words.t('comment_send') }, icon('send'));
    return make('form', {
      className: 'comment-form',
      onsubmit: async (/** @type {Event} */ event) => {
        event.preventDefault();
        const comment = field.value.trim();
        if (comment && !(await this.#tell({ value: 'down', reason: this.reason, comment }))) return;
        this.#thank();
      },
    }, field, send);
  }

  #thank() {
    const thanks = make('p', { className: 'thanks', tabIndex: -1, role: 'status' }, this.words.t('thanks'));
    this.panel.replaceChildren(thanks);
    thanks.focus({ preventScroll: true });
  }
}
