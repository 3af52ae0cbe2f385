/** Messages that are not acknowledged yet: kept in IndexedDB (localStorage where that is missing) and sent in order.
 *
 * Exactly once: an entry's id is the server's `client_message_id`, it never changes, and only one tab sends at a time.
 */

import { ApiError, exclusively } from './session.js';
import { backoff, patience } from './sse.js';

const DATABASE = 'frontdesk';
const STORE = 'outbox';

/**
 * @typedef {object} Entry
 * @property {string} id the client_message_id
 * @property {string} account
 * @property {string} text
 * @property {number} at epoch seconds
 * @property {'sending'|'kept'|'refused'} state
 * @property {number} [status] why it was refused
 */

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
const settled = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

/** @returns {Promise<IDBDatabase>} */
function connect() {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: 'id' });
  return settled(request);
}

/** A small table of entries that survives a reload. */
class Table {
  /** @param {string} account @param {import('./session.js').Shelf} shelf */
  constructor(account, shelf) {
    this.account = account;
    this.shelf = shelf;
    /** @type {Promise<IDBDatabase|null>} */
    this.database = (async () => connect())().catch(() => null);
  }

  /** @param {IDBTransactionMode} mode @returns {Promise<IDBObjectStore|null>} */
  async #store(mode) {
    const database = await this.database;
    return database && database.transaction(STORE, mode).objectStore(STORE);
  }

  /** @returns {Promise<Entry[]>} oldest first */
  async all() {
    const store = await this.#store('readonly');
    /** @type {Entry[]} */
    const entries = store ? await settled(store.getAll()) : this.shelf.get(STORE) ?? [];
    return entries.filter((entry) => entry.account === this.account).sort((a, b) => a.at - b.at);
  }

  /** @param {Entry} entry */
  async put(entry) {
    const store = await this.#store('readwrite');
    if (store) await settled(store.put(entry));
    else this.shelf.set(STORE, [...(await this.all()).filter((each) => each.id !== entry.id), entry]);
  }

  /** @param {string} id */
  async remove(id) {
    const store = await this.#store('readwrite');
    if (store) await settled(store.delete(id));
    else this.shelf.set(STORE, (await this.all()).filter((each) => each.id !== id));
  }
}

export class Outbox {
  /**
   * @param {object} parts
   * @param {string} parts.account
   * @param {import('./session.js').Session} parts.session
   * @param {import('./session.js').Shelf} parts.shelf
   * @param {import('./locales.js').Words} parts.words the customer's language goes with each message
   * @param {(entry: Entry) => void} parts.onChange an entry is new or changed its state
   * @param {(id: string) => void} parts.onSent the server has it
   * @param {(id: string) => void} parts.onGone it will not be sent
   */
  constructor({ account, session, shelf, words, onChange, onSent, onGone }) {
    this.account = account;
    this.words = words;
    this.session = session;
    this.table = new Table(account, shelf);
    this.onChange = onChange;
    this.onSent = onSent;
    this.onGone = onGone;
    this.wake = new AbortController();
    this.running = false;
    this.again = false;
  }

  /** Shows what an earlier page left behind and sends it. */
  async open() {
    for (const entry of await this.table.all()) this.onChange(entry);
    this.flush();
  }

  /** @param {string} text @returns {Promise<Entry>} kept before the first attempt to send */
  async add(text) {
    const id = crypto.randomUUID ? crypto.randomUUID() : randomId();
    /** @type {Entry} */
    const entry = { id, account: this.account, text, at: Date.now() / 1000, state: 'sending' };
    this.onChange(entry);
    await this.table.put(entry);
    this.flush();
    return entry;
  }

  /** @param {string} id */
  async retry(id) {
    const entry = (await this.table.all()).find((each) => each.id === id);
    if (!entry) return;
    await this.#mark(entry, 'sending');
    this.flush();
  }

  /** @param {string} id */
  async discard(id) {
    await this.table.remove(id);
    this.onGone(id);
  }

  /** The event stream showed it: whatever became of the answer to the POST, it is sent. @param {string} id */
  async settle(id) {
    await this.table.remove(id);
  }

  /** Forgets everything: the visitor logged out. */
  async clear() {
    for (const entry of await this.table.all()) await this.discard(entry.id);
  }

  /** Sends what waits, now; a run in progress is woken from its backoff. */
  flush() {
    this.wake.abort();
    if (this.running) {
      this.again = true;
      return;
    }
    this.running = true;
    this.#drain().finally(() => {
      this.running = false;
      if (this.again) {
        this.again = false;
        this.flush();
      }
    });
  }

  async #drain() {
    for (let failures = 0; ;) {
      this.wake = new AbortController();
      const wait = await exclusively(`frontdesk:${this.account}:outbox`, () => this.#sendAll());
      if (wait === null) return;
      await patience(Math.max(wait, backoff(failures)), this.wake.signal);
      failures += 1;
    }
  }

  /** @returns {Promise<number|null>} null when nothing is left, else the least wait in milliseconds */
  async #sendAll() {
    for (const entry of await this.table.all()) {
      if (entry.state === 'refused') continue;
      try {
        const body = { client_message_id: entry.id, text: entry.text, locale: this.words.tag };
        await this.session.call('POST', 'messages', { body });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.passing) {
          await this.#mark(entry, 'kept', error.status);
          return error.retryAfterMs;
        }
        await this.#mark(entry, 'refused', error.status);
        continue;
      }
      await this.table.remove(entry.id);
      this.onSent(entry.id);
    }
    return null;
  }

  /** @param {Entry} entry @param {Entry['state']} state @param {number} [status] */
  async #mark(entry, state, status) {
    const marked = { ...entry, state, status };
    await this.table.put(marked);
    this.onChange(marked);
  }
}

/** A version 4 UUID where the page is not a secure context. */
function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return [8, 13, 18, 23].reduce((text, at) => `${text.slice(0, at)}-${text.slice(at)}`, hex);
}
