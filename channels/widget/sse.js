/** One server-sent event stream over fetch: it parses frames, resumes at the last id, and comes back with backoff and jitter. */

import { ApiError } from './session.js';

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
const SILENCE_MS = 40_000; // the server pings every 15 s; two missed pings mean a half-open connection
const STEADY_MS = 10_000; // a connection that lived so long, or brought a frame, ends a row of failures
const RESUME_JITTER_MS = 1_000; // a server that asks everyone to come back is not met by everyone at once

/** @typedef {{id: number|null, event: string, data: any}} Frame */
/** @typedef {'connecting'|'online'|'reconnecting'|'refused'} Connection */

/** Splits a text stream into frames. */
export class Parser {
  constructor() {
    this.rest = '';
  }

  /** @param {string} chunk @returns {Frame[]} the frames that are complete now; comments and unreadable data are dropped */
  push(chunk) {
    const parts = (this.rest + chunk).replace(/\r\n/g, '\n').split('\n\n');
    this.rest = parts.pop() ?? '';
    return parts.map(Parser.read).filter((frame) => frame !== null);
  }

  /** @param {string} text @returns {Frame|null} */
  static read(text) {
    let id = null;
    let event = 'message';
    const data = [];
    for (const line of text.split('\n')) {
      const colon = line.indexOf(':');
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'id') id = Number(value);
      else if (field === 'event') event = value;
      else if (field === 'data') data.push(value);
    }
    if (!data.length) return null;
    try {
      return { id: Number.isFinite(id) ? id : null, event, data: JSON.parse(data.join('\n')) };
    } catch {
      return null;
    }
  }
}

/** Full jitter over an exponential ceiling. @param {number} failures @returns {number} milliseconds */
export const backoff = (failures) => FIRST_DELAY_MS / 2 + Math.random() * Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures);

/** Waits, but no longer than until the network or the visitor comes back, which never cuts short what the server asked for.
 * @param {number} ms @param {AbortSignal} signal @param {number} [least] the server's Retry-After in milliseconds
 */
export function patience(ms, signal, least = 0) {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const earliest = Date.now() + least;
    const done = () => {
      clearTimeout(timer);
      removeEventListener('online', back);
      document.removeEventListener('visibilitychange', shown);
      signal.removeEventListener('abort', done);
      resolve(undefined);
    };
    const back = () => {
      clearTimeout(timer);
      timer = setTimeout(done, Math.max(0, earliest - Date.now()));
    };
    const shown = () => document.visibilityState === 'visible' && back();
    let timer = setTimeout(done, Math.max(ms, least));
    addEventListener('online', back);
    document.addEventListener('visibilitychange', shown);
    signal.addEventListener('abort', done);
  });
}

export class Stream {
  /**
   * @param {object} parts
   * @param {(lastId: number, signal: AbortSignal) => Promise<Response>} parts.open
   * @param {() => number} parts.lastId the highest committed id this page has applied
   * @param {(frame: Frame) => void} parts.onFrame
   * @param {(state: Connection) => void} parts.onState
   */
  constructor({ open, lastId, onFrame, onState }) {
    this.open = open;
    this.lastId = lastId;
    this.onFrame = onFrame;
    this.onState = onState;
    /** @type {AbortController|null} the connection of the moment */
    this.connection = null;
  }

  /** Drops the connection; `run` opens the next one at the last id. */
  restart() {
    this.connection?.abort();
  }

  /** Keeps one connection open until `signal` aborts. @param {AbortSignal} signal */
  async run(signal) {
    let failures = 0;
    this.onState('connecting');
    while (!signal.aborted) {
      const outcome = await this.#connect(signal, () => {
        failures = 0;
      });
      if (signal.aborted) return;
      if (outcome === 'refused') {
        this.onState('refused');
        return;
      }
      this.onState('reconnecting');
      const wait = outcome === 'resume' && failures === 0 ? Math.random() * RESUME_JITTER_MS : backoff(failures);
      failures += 1;
      await patience(wait, signal, typeof outcome === 'number' ? outcome : 0);
    }
  }

  /**
   * @param {AbortSignal} signal @param {() => void} steady the connection has proved itself
   * @returns {Promise<'lost'|'resume'|'refused'|number>} a number is the server's Retry-After in milliseconds
   */
  async #connect(signal, steady) {
    const connection = new AbortController();
    const stop = () => connection.abort();
    signal.addEventListener('abort', stop);
    this.connection = connection;
    let watchdog = setTimeout(stop, SILENCE_MS);
    let proof = 0;
    try {
      const response = await this.open(this.lastId(), connection.signal);
      proof = setTimeout(steady, STEADY_MS);
      this.onState('online');
      const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
      const decoder = new TextDecoder();
      const parser = new Parser();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return 'lost';
        clearTimeout(watchdog);
        watchdog = setTimeout(stop, SILENCE_MS);
        for (const frame of parser.push(decoder.decode(value, { stream: true }))) {
          if (frame.event === 'resume') return 'resume';
          steady();
          this.onFrame(frame);
        }
      }
    } catch (error) {
      if (error instanceof ApiError && error.status === 403) return 'refused';
      return error instanceof ApiError && error.retryAfterMs ? error.retryAfterMs : 'lost';
    } finally {
      clearTimeout(watchdog);
      clearTimeout(proof);
      signal.removeEventListener('abort', stop);
      connection.abort();
    }
  }
}
