/** The visitor's session and every HTTP call made with it. The token lives in this origin's storage and leaves it in one header only. */

/**
 * @typedef {object} SessionInfo
 * @property {string} token
 * @property {number} expires_at epoch seconds
 * @property {string} visitor_id
 * @property {string} conversation_id
 * @property {string} [disclosure]
 * @property {string} [greeting]
 * @property {string} [name]
 * @property {boolean} [verified]
 * @property {number} [at] when it was last renewed, epoch milliseconds
 */

const FRESH_MS = 600_000; // pages of one visit share a session; a shop's every page view must not ask for one
const ANSWER_MS = 20_000; // a call without an answer for so long is tried again

/** An answer that was not a success. `status` 0 means the network failed and nothing is known about the server. */
export class ApiError extends Error {
  /** @param {number} status @param {string} [detail] @param {number} [retryAfterMs] */
  constructor(status, detail = '', retryAfterMs = 0) {
    super(detail || `HTTP ${status}`);
    this.name = 'ApiError';
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }

  /** True when the same request may well succeed later. */
  get passing() {
    return this.status === 0 || this.status === 408 || this.status === 409 || this.status === 429 || this.status >= 500;
  }

  /** True when the server was reached and failed at this very request: the way there is not what is broken. */
  get own() {
    return this.status === 409 || (this.status >= 500 && ![502, 503, 504].includes(this.status));
  }
}

/** Storage that works when the browser blocks third-party storage: then the session lasts as long as the page. */
export class Shelf {
  /** @param {string} prefix */
  constructor(prefix) {
    this.prefix = prefix;
    /** @type {Map<string, string>} */
    this.memory = new Map();
  }

  /** @param {string} key @returns {any} */
  get(key) {
    let text = this.memory.get(key) ?? null;
    try {
      text = localStorage.getItem(this.prefix + key);
    } catch { /* blocked: memory is all there is */ }
    try {
      return text === null ? null : JSON.parse(text);
    } catch {
      return null;
    }
  }

  /** @param {string} key @param {unknown} value null removes it */
  set(key, value) {
    const text = JSON.stringify(value);
    if (value === null) this.memory.delete(key);
    else this.memory.set(key, text);
    try {
      if (value === null) localStorage.removeItem(this.prefix + key);
      else localStorage.setItem(this.prefix + key, text);
    } catch { /* blocked or full: memory keeps it for this page */ }
  }

  /** @param {string} key @param {() => void} heard called when another tab changed the key */
  watch(key, heard) {
    addEventListener('storage', (event) => {
      if (event.key === this.prefix + key || event.key === null) heard();
    });
  }
}

/** Runs `work` while no other tab runs work of that name; where Web Locks are missing or refused it simply runs.
 * @template T @param {string} name @param {() => Promise<T>} work @returns {Promise<T>}
 */
export async function exclusively(name, work) {
  if (!navigator.locks) return work();
  let began = false;
  try {
    return await navigator.locks.request(name, () => {
      began = true;
      return work();
    });
  } catch (error) {
    if (began) throw error;
    return work();
  }
}

/** Runs a step of an exchange with the server; whatever breaks it that is not an answer counts as a lost connection.
 * @template T @param {() => Promise<T>} step @param {AbortSignal} [signal] the caller's own end, which is no failure @returns {Promise<T>}
 */
async function exchanged(step, signal) {
  try {
    return await step();
  } catch (error) {
    throw signal?.aborted || error instanceof ApiError ? error : new ApiError(0);
  }
}

export class Session {
  /** @param {{base: URL, account: string, shelf: Shelf}} parts */
  constructor({ base, account, shelf }) {
    this.base = base;
    this.account = account;
    this.shelf = shelf;
    /** @type {(() => void)|null} told when a renewal changed the conversation under the caller */
    this.onChange = null;
    /** @type {string} the conversation this page shows */
    this.shown = '';
    this.ends = 0;
  }

  /** @returns {SessionInfo|null} */
  get info() {
    return this.shelf.get('session');
  }

  /**
   * A session that is valid as far as we know; all tabs agree on one.
   * @param {{identity?: string, renew?: boolean}} [claim] @returns {Promise<SessionInfo>}
   */
  async start({ identity, renew = false } = {}) {
    const { ends } = this;
    return exclusively(`frontdesk:${this.account}:session`, async () => {
      if (ends !== this.ends) throw new ApiError(0, 'The session has ended meanwhile');
      const known = this.info;
      if (known && !identity && !renew && Date.now() - (known.at ?? 0) < FRESH_MS) return known;
      const token = known?.token;
      const body = { account: this.account, ...(token && { token }), ...(identity && { identity }) };
      const response = await this.#fetch('POST', 'session', { body });
      const info = { ...await exchanged(() => response.json()), at: Date.now() };
      if (ends !== this.ends) throw new ApiError(0, 'The session has ended meanwhile');
      this.shelf.set('session', info);
      return info;
    });
  }

  /** After a 401: one tab renews, the others find the new token. @param {string} refused @returns {Promise<SessionInfo>} */
  async #renew(refused) {
    return exclusively(`frontdesk:${this.account}:renew`, async () => {
      const current = this.info;
      return current && current.token !== refused ? current : this.start({ renew: true });
    });
  }

  /** Nothing of the conversation on this page goes to another one that the session has moved to. @param {SessionInfo} info */
  #mine(info) {
    if (!this.shown || info.conversation_id === this.shown) return info;
    this.onChange?.();
    throw new ApiError(0, 'The conversation has changed');
  }

  /**
   * Calls a resource of the visitor's conversation (`''` is the conversation itself) and renews the session once on 401.
   * @param {string} method @param {string} path @param {{body?: unknown, headers?: Record<string, string>, signal?: AbortSignal}} [options]
   * @returns {Promise<Response>}
   */
  async call(method, path, options = {}) {
    const info = this.#mine(this.info ?? await this.start());
    const { ends } = this;
    const where = (/** @type {SessionInfo} */ each) => `conversations/${encodeURIComponent(each.conversation_id)}${path && `/${path}`}`;
    try {
      return await this.#fetch(method, where(info), { ...options, token: info.token });
    } catch (error) {
      const stale = error instanceof ApiError && (error.status === 401 || error.status === 404);
      if (!stale || ends !== this.ends) throw error; // a sign-out is not followed by a new session nobody asked for
      const renewed = this.#mine(await this.#renew(info.token));
      return this.#fetch(method, where(renewed), { ...options, token: renewed.token });
    }
  }

  /** The answer of a `GET` on the visitor's conversation itself. @returns {Promise<any>} */
  async snapshot() {
    const response = await this.call('GET', '');
    return exchanged(() => response.json());
  }

  /** Ends the session on the server as far as it can be reached, and forgets it here in any case. */
  async end() {
    const token = this.info?.token;
    this.ends += 1;
    this.shelf.set('session', null);
    if (token) await this.#fetch('POST', 'session/end', { body: {}, token, keepalive: true }).catch(() => undefined);
  }

  /**
   * @param {string} method @param {string} path
   * @param {{body?: unknown, headers?: Record<string, string>, signal?: AbortSignal, token?: string, keepalive?: boolean}} options
   */
  async #fetch(method, path, { body, headers = {}, signal, token, keepalive = false }) {
    /** @type {RequestInit} */
    const request = { method, keepalive, signal: signal ?? AbortSignal.timeout(ANSWER_MS), credentials: 'omit', cache: 'no-store', redirect: 'error', headers: { ...headers } };
    if (token) Object.assign(/** @type {object} */ (request.headers), { Authorization: `Bearer ${token}` });
    if (body !== undefined) {
      request.body = JSON.stringify(body);
      Object.assign(/** @type {object} */ (request.headers), { 'Content-Type': 'application/json' });
    }
    const response = await exchanged(() => fetch(new URL(path, this.base), request), signal);
    if (response.ok) return response;
    const problem = await response.json().catch(() => ({}));
    throw new ApiError(response.status, problem.detail ?? problem.title, 1000 * (Number(response.headers.get('Retry-After')) || 0));
  }
}
