/** Everything of the frame that is not the message list: header, status lines, buttons, the end card, the screen reader's line. */

import { icon, make } from './icons.js';

const RECONNECT_SHOWN_AFTER_MS = 1_500; // a blink of the network is not worth a line
const WARNING_MS = 6_000;
const HEARD_KEPT = 3;

/** @param {string} id @returns {any} */
const part = (id) => document.getElementById(id);

export class Screen {
  /** @param {import('./locales.js').Words} words @param {boolean} embedded */
  constructor(words, embedded) {
    this.words = words;
    this.parts = {
      app: part('app'), name: part('name'), disclosure: part('disclosure'), close: part('close'), connection: part('connection'),
      log: part('log'), list: part('messages'), greeting: part('greeting'), jump: part('jump'), alert: part('alert'),
      status: part('status'), talk: part('talk'), stop: part('stop'), form: part('composer'), field: part('field'),
      send: part('send'), counter: part('counter'), ended: part('ended'), again: part('again'), live: part('live'),
    };
    this.info = /** @type {{name?: string, greeting?: string, disclosure?: string}} */ ({});
    this.connectionText = '';
    this.lineTimer = 0;
    this.warningTimer = 0;
    this.parts.close.hidden = !embedded;
    this.parts.app.classList.toggle('alone', !embedded);
    part('avatar').append(icon('spark'));
    part('greeting-mark').append(icon('spark'));
    this.parts.close.append(icon('close'));
    this.parts.send.append(icon('send'));
  }

  /** Puts every word on the screen again, in the language of the moment. */
  translate() {
    const { words, parts } = this;
    document.documentElement.lang = words.tag;
    document.documentElement.dir = words.dir;
    const label = (/** @type {HTMLElement} */ node, /** @type {string} */ key) => {
      node.setAttribute('aria-label', words.t(key));
      node.title = words.t(key);
    };
    label(parts.close, 'close');
    label(parts.send, 'send');
    parts.log.setAttribute('aria-label', words.t('conversation'));
    parts.field.setAttribute('aria-label', words.t('message_label'));
    parts.field.placeholder = words.t('placeholder');
    parts.talk.replaceChildren(icon('person'), words.t('talk'));
    parts.stop.replaceChildren(icon('stop'), words.t('stop'));
    parts.jump.replaceChildren(icon('arrow'), words.t('jump'));
    part('ended-title').textContent = words.t('ended_title');
    part('ended-body').textContent = words.t('ended_body');
    parts.again.textContent = words.t('start_again');
    this.brand(this.info);
  }

  /** @param {{name?: string, greeting?: string, disclosure?: string}} info what the desk calls itself, and its own words as they are */
  brand(info) {
    this.info = info;
    this.parts.name.textContent = info.name || this.words.t('assistant');
    document.title = info.name || this.words.t('panel');
    // `disclosure` is a code ("ai") for the catalogue's words, or the operator's own sentence
    const sentence = /\s/.test(info.disclosure ?? '') ? info.disclosure : '';
    part('greeting-title').textContent = info.greeting || this.words.t('greeting_title');
    part('greeting-body').textContent = sentence || this.words.t('greeting_body');
    this.#role('bot');
  }

  /** @param {string} status */
  #role(status) {
    this.parts.disclosure.textContent = this.words.t(status === 'claimed' ? 'disclosure_staff' : 'disclosure');
  }

  /** @param {import('./timeline.js').Timeline} timeline @param {string} connection */
  update(timeline, connection) {
    const { parts } = this;
    const bot = timeline.status === 'bot';
    this.#role(timeline.status);
    this.#connection(connection);
    parts.greeting.hidden = timeline.messages.size + timeline.pending.size > 0;
    parts.talk.hidden = timeline.status === 'waiting' || timeline.status === 'claimed';
    parts.stop.hidden = !bot || !(timeline.draft || timeline.awaiting());
    this.#line(parts.status, this.#statusText(timeline));
    parts.status.dataset.kind = bot ? timeline.model : timeline.status;
  }

  /** @param {import('./timeline.js').Timeline} timeline @returns {string} */
  #statusText({ status, position, model }) {
    const { words } = this;
    if (status === 'waiting') return position ? words.t('waiting_position', { n: position }) : words.t('waiting');
    if (status === 'claimed' || status === 'closed') return words.t(status);
    return model === 'ready' ? '' : words.t(`model_${model}`);
  }

  /** Writes only what changed: a status region that is rewritten is read out again. @param {HTMLElement} node @param {string} text */
  #line(node, text) {
    if (node.textContent !== text) node.textContent = text;
    node.hidden = text === '';
  }

  /** @param {string} connection */
  #connection(connection) {
    const { words, parts } = this;
    const offline = !navigator.onLine;
    parts.app.dataset.connection = connection;
    const state = offline && connection !== 'refused' ? 'offline' : connection;
    const key = { refused: 'unavailable', reconnecting: 'reconnecting', connecting: 'connecting', offline: 'offline' }[state] ?? '';
    const wanted = key && words.t(key);
    if (wanted === this.connectionText) return;
    this.connectionText = wanted;
    clearTimeout(this.lineTimer);
    const patient = parts.connection.hidden && (key === 'reconnecting' || key === 'connecting');
    this.lineTimer = window.setTimeout(() => this.#line(parts.connection, wanted), patient ? RECONNECT_SHOWN_AFTER_MS : 0);
  }

  /** @param {string} key of the catalogue */
  warn(key) {
    clearTimeout(this.warningTimer);
    this.#line(this.parts.alert, this.words.t(key));
    this.warningTimer = window.setTimeout(() => this.#line(this.parts.alert, ''), WARNING_MS);
  }

  /** Read out once, politely and whole. @param {string} text */
  announce(text) {
    const { live } = this.parts;
    live.append(make('p', {}, text));
    while (live.children.length > HEARD_KEPT) live.firstElementChild?.remove();
  }

  clear() {
    this.parts.live.replaceChildren();
    this.#line(this.parts.status, '');
  }

  /** @param {boolean} over */
  ended(over) {
    this.parts.app.classList.toggle('over', over);
    this.parts.ended.hidden = !over;
  }

  /** Mobile only: the loader sends focus that left the frame back to the other end. @param {'first'|'last'} edge */
  focusEdge(edge) {
    const { close, send, field, again, ended } = this.parts;
    if (edge === 'first') close.focus();
    else if (!ended.hidden) again.focus();
    else (send.disabled ? field : send).focus();
  }
}
