/** Answers offered under the last message: pressing one says it, as if the customer had typed it. */

import { make } from './icons.js';

const MOST = 8;
const SCORES = 11; // 0 to 10

/** @typedef {import('./timeline.js').Timeline} Timeline */

/** What is offered at the moment, and by which message; null once somebody spoke, or a person has taken over.
 * @param {Timeline} timeline @returns {{id: string, replies: string[]}|null}
 */
export function offered(timeline) {
  const last = timeline.sorted.at(-1);
  const open = timeline.status === 'bot' || timeline.status === 'waiting' || Boolean(last?.survey);
  if (!open || !last?.replies?.length || last.role === 'customer' || timeline.pending.size || timeline.draft) return null;
  return { id: last.id, replies: last.replies.slice(0, last.survey ? SCORES : MOST) };
}

/**
 * @param {import('./locales.js').Words} words @param {string[]} replies @param {(text: string) => void} say
 * @returns {HTMLElement}
 */
export function choices(words, replies, say) {
  /** @type {HTMLButtonElement[]} */
  const buttons = replies.map((reply) => make('button', {
    type: 'button', className: 'chip choice', dir: 'auto',
    onclick: () => {
      for (const button of buttons) button.disabled = true; // a second press must not answer twice
      say(reply);
    },
  }, reply));
  return make('li', { className: 'row choices' }, make('div', { className: 'chips', role: 'group', 'aria-label': words.t('choices') }, ...buttons));
}
