/** Messages that are not acknowledged yet: kept in IndexedDB (localStorage where that is missing) and sent in order.
 *
 * Exactly once: an entry's id is the server's `client_message_id`, it never changes, and only one tab sends at a time.
 */

import { ApiError, exclusively } from './session.js';
import { backoff, patience } from './sse.js';

const DATABASE = 'frontdesk';
const STORE = 'outbox';
const TRUSTED_WAIT_MS = 600_000; // a longer wait comes from a clock that was set back
const MOST_TRIES = 5; // then a message that the server fails at makes way for the next ones

/**
 * @typedef {object} Entry
 * @property {string} id the client_message_id
 * @property {string} account
 * @property {string} conversation it is sent to this one only; '' before the first session
 * @property {string} visitor who wrote it; '' when not known
 * @property {string} text
 * @property {number} at epoch seconds
 * @property {'sending'|'kept'|'refused'} state
 * @property {number} [status] why it was refused
 * @property {number} [after] not before then, as the server's Retry-After asked: epoch milliseconds
 * @property {number} [tries] how often the server failed at it
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
    this.lock = `frontdesk:${account}:outbox`;
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

  /** Shows what an earlier page left behind and sends it. @param {import('./session.js').SessionInfo} info the present session */
  async open(info) {
    const here = info.conversation_id;
    if ((await this.table.all()).some((entry) => entry.conversation !== here)) {
      await exclusively(this.lock, () => this.#moveTo(info));
    }
    if (this.session.shown !== here) return;
    for (const entry of await this.table.all()) if (entry.conversation === here) this.onChange(entry);
    this.flush();
  }

  /** Another visitor's words are never sent; the same visitor's go along to the new conversation.
   * @param {import('./session.js').SessionInfo} info
   */
  async #moveTo(info) {
    for (const entry of await this.table.all()) {
      if (this.session.shown !== info.conversation_id) return;
      if (entry.conversation === info.conversation_id) continue;
      const mine = entry.conversation === '' || entry.visitor === info.visitor_id;
      if (mine) await this.table.put({ ...entry, conversation: info.conversation_id, visitor: info.visitor_id });
      else await this.discard(entry.id);
    }
  }

  /** @param {string} text @returns {Promise<Entry>} kept before the first attempt to send */
  async add(text) {
    const id = crypto.randomUUID ? crypto.randomUUID() : randomId();
    const { shown, info } = this.session;
    const conversation = shown || info?.conversation_id || '';
    const visitor = info && info.conversation_id === conversation ? info.visitor_id : '';
    /** @type {Entry} */
    const entry = { id, account: this.account, conversation, visitor, text, at: Date.now() / 1000, state: 'sending' };
    this.onChange(entry);
    await this.table.put(entry);
    this.flush();
    return entry;
  }

  /** @param {string} id */
  async retry(id) {
    const entry = (await this.table.all()).find((each) => each.id === id);
    if (!entry) return;
    await this.#mark({ ...entry, tries: 0, after: 0 }, 'sending');
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

  /** Forgets everything that is not the present session's: the visitor logged out. */
  async clear() {
    const kept = this.session.info?.conversation_id;
    for (const entry of await this.table.all()) if (entry.conversation !== kept) await this.discard(entry.id);
  }

  /** Sends what waits, now; a run in progress is woken from its backoff, though not before the server's Retry-After is over. */
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
      const wait = await exclusively(this.lock, () => this.#sendAll());
      if (wait === null) return;
      await patience(backoff(failures), this.wake.signal, wait);
      failures += 1;
    }
  }

  /** @returns {Promise<number|null>} null when nothing is left, else the least wait in milliseconds */
  async #sendAll() {
    for (const entry of await this.table.all()) {
      if (!this.session.shown) return null; // the page is between two conversations; `open` goes on
      if (entry.state === 'refused' || entry.conversation !== this.session.shown) continue;
      const early = (entry.after ?? 0) - Date.now();
      if (early > 0 && early <= TRUSTED_WAIT_MS) return early;
      try {
        const body = { client_message_id: entry.id, text: entry.text, locale: this.words.tag };
        await this.session.call('POST', 'messages', { body });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (entry.conversation !== this.session.shown) return null;
        const tries = (entry.tries ?? 0) + Number(error.own);
        const wait = error.passing && tries < MOST_TRIES;
        const after = Date.now() + error.retryAfterMs;
        await this.#mark({ ...entry, tries, after }, wait ? 'kept' : 'refused', error.status);
        if (wait) return error.retryAfterMs;
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
