/** One event stream for all tabs of a visitor.
 *
 * The tab that holds the Web Lock reads the stream and repeats every frame on a BroadcastChannel. When it closes, the
 * browser hands the lock to another tab, which resumes at its own last id. Each repeated frame names the committed id
 * before it, so that a tab that slept through one notices the hole and asks for a snapshot. Without locks or channels
 * every tab reads its own stream.
 */

import { Stream } from './sse.js';

/** @typedef {import('./sse.js').Frame} Frame */
/** @typedef {import('./sse.js').Connection} Connection */
/** @typedef {{draft: object|null, model: string, connection: Connection}} Live what a tab that joins late cannot get from a snapshot */

/** Messages between the tabs of one account. */
export class Tabs {
  /** @param {string} account */
  constructor(account) {
    this.channel = typeof BroadcastChannel === 'function' ? new BroadcastChannel(`frontdesk:${account}`) : null;
    /** @type {Map<string, (message: any) => void>} */
    this.heard = new Map();
    if (this.channel) {
      this.channel.onmessage = (event) => this.heard.get(event.data?.kind)?.(event.data);
    }
  }

  /** @param {string} kind @param {(message: any) => void} listener one listener per kind */
  on(kind, listener) {
    this.heard.set(kind, listener);
  }

  /** @param {string} kind @param {object} [message] reaches the other tabs, not this one */
  post(kind, message = {}) {
    this.channel?.postMessage({ kind, ...message });
  }
}

export class Link {
  /**
   * @param {object} parts
   * @param {import('./session.js').Session} parts.session
   * @param {Tabs} parts.tabs
   * @param {string} parts.conversation
   * @param {() => number} parts.lastId
   * @param {() => Live} parts.live
   * @param {(frame: Frame) => void} parts.onFrame
   * @param {(live: Live) => void} parts.onLive
   * @param {(state: Connection) => void} parts.onState
   * @param {() => void} parts.onGap
   */
  constructor(parts) {
    this.parts = parts;
    this.leads = false;
    this.stopped = new AbortController();
    const { session, lastId } = parts;
    this.stream = new Stream({
      open: (last, signal) => session.call('GET', 'events', {
        headers: { Accept: 'text/event-stream', ...(last && { 'Last-Event-ID': String(last) }) }, signal,
      }),
      lastId,
      onFrame: (frame) => this.#read(frame),
      onState: (state) => this.#connection(state),
    });
  }

  start() {
    const { tabs, conversation } = this.parts;
    const mine = (/** @type {(message: any) => void} */ act) => (/** @type {any} */ message) => {
      if (message.conversation === conversation && !this.stopped.signal.aborted) act(message);
    };
    tabs.on('frame', mine((message) => this.#repeated(message)));
    tabs.on('connection', mine((message) => this.parts.onState(message.state)));
    tabs.on('hello', mine(() => this.leads && this.#post('live', { live: this.parts.live() })));
    tabs.on('live', mine((message) => !this.leads && this.parts.onLive(message.live)));
    tabs.on('restart', mine(() => this.leads && this.stream.restart()));
    if (!navigator.locks || !tabs.channel) {
      this.#lead();
      return;
    }
    this.#post('hello');
    const { signal } = this.stopped;
    navigator.locks.request(`frontdesk:stream:${conversation}`, { signal }, () => this.#lead()).catch((error) => {
      if (error.name !== 'AbortError') this.#lead();
    });
  }

  stop() {
    this.stopped.abort();
    this.leads = false;
  }

  /** A draft that cannot be continued here is asked for again from its start. */
  restart() {
    if (this.leads) this.stream.restart();
    else this.#post('restart');
  }

  /** @param {string} kind @param {object} [message] */
  #post(kind, message = {}) {
    this.parts.tabs.post(kind, { conversation: this.parts.conversation, ...message });
  }

  async #lead() {
    this.leads = true;
    await this.stream.run(this.stopped.signal);
    this.leads = false;
  }

  /** @param {Frame} frame */
  #read(frame) {
    const previous = this.parts.lastId();
    this.#post('frame', { frame, previous });
    this.parts.onFrame(frame);
  }

  /** @param {{frame: Frame, previous: number}} message */
  #repeated({ frame, previous }) {
    if (this.leads) return;
    if (this.parts.lastId() < previous) this.parts.onGap();
    this.parts.onFrame(frame);
  }

  /** @param {Connection} state */
  #connection(state) {
    this.#post('connection', { state });
    this.parts.onState(state);
  }
}
