/** Connects the parts of the chat frame: session, stream, outbox, timeline, screen and host page. */

import { Composer } from './composer.js';
import { Host } from './host.js';
import { Link, Tabs } from './link.js';
import { Words } from './locales.js';
import { MessageList } from './messages.js';
import { Outbox } from './outbox.js';
import { Screen } from './screen.js';
import { ApiError, Session, Shelf } from './session.js';
import { spoken } from './sources.js';
import { backoff, patience } from './sse.js';
import { Timeline } from './timeline.js';

const PAINT_MS = 120; // a hidden frame gets no animation frames; its badge must count all the same
const REDRAFT_MS = 2_000;
const CLOCK_MS = 5_000; // typing lines that nobody ended are looked at this often

export class App {
  /** @param {{base: URL, account: string, hostOrigin: string, locale: string}} parts */
  constructor({ base, account, hostOrigin, locale }) {
    this.words = new Words(locale);
    this.host = new Host(hostOrigin);
    this.shelf = new Shelf(`frontdesk:${account}:`);
    this.session = new Session({ base, account, shelf: this.shelf });
    this.tabs = new Tabs(account);
    this.opened = !this.host.embedded;
    this.connection = 'connecting';
    this.unread = -1;
    this.painting = false;
    this.redraftedAt = 0;
    this.missed = 0; // how often events were missed
    /** @type {Promise<void>|null} */
    this.reloading = null;
    /** @type {Link|null} */
    this.link = null;
    this.attempt = new AbortController();
    this.screen = new Screen(this.words, this.host.embedded);
    this.timeline = new Timeline({
      onArrive: (message) => this.#arrived(message),
      onBrokenDraft: () => this.#redraft(),
      onReset: () => this.#reload(),
      onEnded: () => this.#ended(true),
      onStatus: () => this.host.event('handoff', { status: this.timeline.status }),
    });
    this.outbox = new Outbox({
      account, session: this.session, shelf: this.shelf, words: this.words,
      onChange: (entry) => this.#held(entry, true),
      onSent: (id) => this.#sent(id, true),
      onGone: (id) => this.#gone(id, true),
    });
    const { log, list, jump } = this.screen.parts;
    this.messages = new MessageList({
      log, list, jump, words: this.words,
      rate: (id, rating) => this.#act('feedback', { message_id: id, ...rating }),
      retry: (id) => this.outbox.retry(id),
      discard: (id) => this.outbox.discard(id),
      say: (text) => this.outbox.add(text),
    });
    const { form, field, send, counter } = this.screen.parts;
    this.composer = new Composer({ form, field, button: send, counter, account, words: this.words, onSend: (text) => this.outbox.add(text) });
  }

  start() {
    this.#listenToVisitor();
    this.#listenToHost();
    this.#listenToTabs();
    this.screen.translate();
    this.composer.start();
    this.session.onChange = () => this.#restart();
    this.shelf.watch('seen', () => this.#paint());
    setInterval(() => this.#paint(), CLOCK_MS);
    this.connect();
    this.host.tell('ready');
  }

  /** Session, snapshot, stream; tried again with backoff until it stands. */
  async connect() {
    this.link?.stop();
    this.attempt.abort();
    const attempt = new AbortController();
    this.attempt = attempt;
    this.connection = 'connecting';
    for (let failures = 0; !attempt.signal.aborted; failures += 1) {
      try {
        await this.#open(attempt.signal);
        return;
      } catch (error) {
        if (attempt.signal.aborted) return;
        const known = error instanceof ApiError ? error : new ApiError(0);
        if (known !== error) console.error(error); // an answer that cannot be read must not end the trying
        this.#connected(known.status === 403 ? 'refused' : 'reconnecting');
        if (known.status === 403) return;
        await patience(backoff(failures), attempt.signal, known.retryAfterMs);
      }
    }
  }

  /** @param {AbortSignal} signal */
  async #open(signal) {
    const info = await this.session.start();
    if (signal.aborted) return;
    this.session.shown = info.conversation_id;
    this.screen.brand(info);
    await this.#snapshot();
    if (signal.aborted) return;
    this.link = new Link({
      session: this.session, tabs: this.tabs, conversation: info.conversation_id,
      lastId: () => this.timeline.lastId,
      live: () => ({ lastId: this.timeline.lastId, draft: this.timeline.draft, model: this.timeline.model, connection: this.connection }),
      onFrame: (frame) => {
        this.timeline.apply(frame);
        this.#paint();
      },
      onLive: (live) => this.#joined(live),
      onState: (state) => this.#connected(state),
      onGap: () => this.#reload(),
    });
    this.link.start();
    this.outbox.open(info);
    this.host.event('session', { verified: Boolean(info.verified) });
  }

  async #snapshot() {
    const snapshot = await this.session.snapshot();
    if (snapshot.conversation_id !== this.session.shown) return;
    this.timeline.load(snapshot);
    if (this.shelf.get('seen')?.conversation !== this.session.shown) this.#saw(this.timeline.lastSeq);
    this.#paint();
  }

  /** A snapshot because events were missed, and one more when others were missed meanwhile; the stream goes on. */
  #reload() {
    this.missed += 1;
    this.reloading ??= this.#catchUp().finally(() => {
      this.reloading = null;
    });
    return this.reloading;
  }

  async #catchUp() {
    try {
      for (let done = 0; done < this.missed;) {
        done = this.missed;
        await this.#snapshot();
      }
    } catch (error) {
      if (!(error instanceof ApiError)) console.error(error);
      if (this.session.shown) this.connect();
    }
  }

  /** Asks for the draft from its start, but not once per token. */
  #redraft() {
    if (Date.now() - this.redraftedAt < REDRAFT_MS) return;
    this.redraftedAt = Date.now();
    this.link?.restart();
  }

  #restart() {
    this.session.shown = '';
    this.timeline.clear();
    this.messages.clear();
    this.screen.ended(false);
    this.connect();
  }

  #listenToVisitor() {
    const { talk, stop, close, again } = this.screen.parts;
    talk.addEventListener('click', () => this.#handoff());
    stop.addEventListener('click', () => this.#stop());
    close.addEventListener('click', () => this.host.tell('close'));
    again.addEventListener('click', () => {
      this.#restart();
      this.composer.focus();
    });
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !event.isComposing) this.host.tell('close');
    });
    document.addEventListener('visibilitychange', () => this.#paint());
    addEventListener('focus', () => this.#paint());
    addEventListener('offline', () => this.#paint());
    addEventListener('online', () => {
      this.outbox.flush();
      this.#paint();
    });
    addEventListener('pagehide', () => this.link?.stop());
    addEventListener('pageshow', (event) => event.persisted && this.connect());
  }

  #listenToHost() {
    const { host } = this;
    host.on('open', (message) => {
      this.opened = true;
      if (message.focus) this.composer.focus();
      this.#paint();
    });
    host.on('close', () => {
      this.opened = false;
    });
    host.on('focus', (message) => this.screen.focusEdge(message.edge));
    host.on('locale', (message) => {
      this.words.use(String(message.locale));
      this.screen.translate();
      this.composer.refresh();
      this.messages.clear();
      this.#paint();
    });
    host.on('identify', (message) => this.#identify(String(message.jwt)));
    host.on('logout', () => this.#logout());
  }

  #listenToTabs() {
    const { tabs } = this;
    const mine = (/** @type {(message: any) => void} */ act) => (/** @type {any} */ message) => {
      if (message.conversation === this.session.shown) act(message);
    };
    tabs.on('held', mine((message) => this.#held(message.entry, false)));
    tabs.on('sent', (message) => this.#sent(message.id, false));
    tabs.on('gone', (message) => this.#gone(message.id, false));
    tabs.on('session', (message) => message.conversation !== this.session.shown && this.#restart());
    tabs.on('ended', mine(() => this.#ended(false)));
  }

  /** @param {string} jwt */
  async #identify(jwt) {
    try {
      const info = await this.session.start({ identity: jwt });
      this.host.event('session', { verified: Boolean(info.verified) });
      if (info.conversation_id === this.session.shown) return;
      this.tabs.post('session', { conversation: info.conversation_id });
      this.#restart();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.screen.warn('failed_action');
    }
  }

  async #logout() {
    const conversation = this.#conversation;
    const ending = this.session.end();
    if (this.screen.parts.ended.hidden) await this.#ended(true, conversation);
    else this.host.event('ended');
    await ending;
  }

  get #conversation() {
    return this.session.shown || this.session.info?.conversation_id || '';
  }

  /** @param {boolean} tellTabs @param {string} [conversation] */
  async #ended(tellTabs, conversation = this.#conversation) {
    if (!this.screen.parts.ended.hidden) return; // several tabs tell each other of the same end
    this.attempt.abort();
    this.link?.stop();
    this.link = null;
    this.session.shown = '';
    if (this.session.info?.conversation_id === conversation) this.shelf.set('session', null);
    this.shelf.set('seen', null);
    this.composer.clear();
    this.timeline.clear();
    this.messages.clear();
    this.screen.clear();
    this.screen.ended(true);
    if (tellTabs) this.tabs.post('ended', { conversation });
    await this.outbox.clear();
    this.host.event('ended');
    this.#paint();
  }

  /** @param {{lastId: number, draft: import('./timeline.js').Draft|null, model: string, connection: import('./sse.js').Connection}} live */
  #joined(live) {
    if (live.lastId > this.timeline.lastId) this.#reload().then(() => live.draft && !this.timeline.draft && this.#redraft());
    else if (live.draft && !this.timeline.draft) this.timeline.draft = live.draft;
    this.timeline.model = live.model;
    this.#connected(live.connection);
  }

  /** @param {import('./sse.js').Connection} state */
  #connected(state) {
    const back = state === 'online' && this.connection !== 'online';
    this.connection = state;
    if (back) this.outbox.flush();
    this.#paint();
  }

  /** @param {import('./timeline.js').Message} message */
  #arrived(message) {
    if (message.client_message_id) this.outbox.settle(message.client_message_id);
    this.host.event('message', { role: message.role });
    if (message.role === 'customer' || !this.opened) return;
    const { words } = this;
    const speaker = { assistant: words.t('assistant'), staff: message.author || words.t('team') }[message.role];
    this.screen.announce(`${speaker ? `${speaker}: ` : ''}${spoken(message, words)}`);
  }

  /** @param {import('./outbox.js').Entry} entry @param {boolean} tellTabs */
  #held(entry, tellTabs) {
    this.timeline.hold(entry);
    if (tellTabs) this.tabs.post('held', { conversation: entry.conversation, entry });
    this.#paint();
  }

  /** @param {string} id @param {boolean} tellTabs */
  #sent(id, tellTabs) {
    this.timeline.sent(id);
    if (tellTabs) this.tabs.post('sent', { id });
    this.#paint();
  }

  /** @param {string} id @param {boolean} tellTabs */
  #gone(id, tellTabs) {
    this.timeline.pending.delete(id);
    if (tellTabs) this.tabs.post('gone', { id });
    this.#paint();
  }

  /** @param {string} path @param {object} body @returns {Promise<any>} false when it failed, and the visitor was told */
  async #act(path, body) {
    try {
      const response = await this.session.call('POST', path, { body });
      return response.status === 204 ? true : await response.json().catch(() => true);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.screen.warn('failed_action');
      return false;
    }
  }

  async #handoff() {
    this.screen.parts.talk.disabled = true;
    const answer = await this.#act('handoff', { locale: this.words.tag });
    this.screen.parts.talk.disabled = false;
    if (!answer) return;
    if (this.timeline.status === 'bot') {
      this.timeline.status = answer.status ?? 'waiting';
      this.timeline.position = answer.position ?? null;
    }
    this.#draw();
    this.screen.parts.status.focus({ preventScroll: true });
  }

  async #stop() {
    const { stop } = this.screen.parts;
    stop.disabled = true;
    if (await this.#act('stop', {})) {
      if (!this.timeline.draft) this.timeline.settle();
      this.composer.focus();
    }
    stop.disabled = false;
    this.#paint();
  }

  /** @param {number} seq */
  #saw(seq) {
    this.shelf.set('seen', { conversation: this.session.shown, seq });
  }

  /** What is on an open, visible screen is read; the other tabs hear of it through the storage event. */
  #countUnread() {
    const seen = this.shelf.get('seen');
    if (!this.session.shown || seen?.conversation !== this.session.shown) return;
    const last = this.timeline.lastSeq;
    let since = seen.seq;
    if (this.opened && document.visibilityState === 'visible' && last > since) {
      this.#saw(last);
      since = last;
    }
    const unread = this.timeline.unread(since);
    if (unread === this.unread) return;
    this.unread = unread;
    this.host.tell('unread', { count: unread });
  }

  /** Draws soon, once for all that changed until then. */
  #paint() {
    if (this.painting) return;
    this.painting = true;
    const draw = () => {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
      this.painting = false;
      this.#draw();
    };
    const frame = requestAnimationFrame(draw);
    const timer = setTimeout(draw, PAINT_MS);
  }

  #draw() {
    this.screen.update(this.timeline, this.connection);
    this.messages.update(this.timeline);
    this.#countUnread();
  }
}
