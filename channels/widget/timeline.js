/** What the conversation is, as this page knows it: committed messages, the draft being written, what waits to be sent. No DOM here. */

/**
 * @typedef {object} Message
 * @property {string} id
 * @property {number} seq
 * @property {'customer'|'assistant'|'staff'|'notice'} role
 * @property {string} text
 * @property {number} at epoch seconds
 * @property {string} [client_message_id]
 * @property {string|number} [turn]
 * @property {'up'|'down'|null} [feedback]
 * @property {boolean} [stopped]
 * @property {string} [author]
 * @property {import('./sources.js').Citation[]} [citations] what the answer rests on, checked by the server
 * @property {string[]} [replies] answers offered to the customer
 * @property {{id: string, kind: string}} [survey] it asks how a closed conversation went
 */
/** @typedef {{turn: string|number, attempt: number, text: string, length: number}} Draft `length` in code points */
/** @typedef {import('./outbox.js').Entry} Entry */
/** @typedef {import('./sse.js').Frame} Frame */

const KEPT_ENDINGS = 50;
const ANSWER_EXPECTED_S = 90; // typing dots before the first event of a turn do not promise longer than this
const TYPING_S = 6;

/** @param {string} text */
const codePoints = (text) => {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
};

export class Timeline {
  /**
   * @param {object} heard
   * @param {(message: Message) => void} heard.onArrive a committed message came live, not from a snapshot
   * @param {() => void} heard.onBrokenDraft a draft frame does not continue what is here
   * @param {() => void} heard.onReset the server no longer has the events after our last id
   * @param {() => void} heard.onEnded
   * @param {() => void} heard.onStatus
   */
  constructor(heard) {
    this.heard = heard;
    /** @type {Map<string, Entry & {sent?: boolean}>} */
    this.pending = new Map();
    this.clear();
  }

  clear() {
    /** @type {Map<string, Message>} */
    this.messages = new Map();
    this.pending.clear();
    /** @type {Draft|null} */
    this.draft = null;
    /** @type {Set<string>} drafts that ended: a late ephemeral frame must not bring one back */
    this.endings = new Set();
    this.lastId = 0;
    this.status = 'bot';
    /** @type {number|null} */
    this.position = null;
    this.model = 'ready';
    this.staffTypingUntil = 0;
    this.settledSeq = 0;
  }

  /** No answer is expected any more for what was said so far: it was stopped or withdrawn. */
  settle() {
    this.settledSeq = this.lastSeq;
  }

  /** @returns {Message[]} oldest first */
  get sorted() {
    return [...this.messages.values()].sort((a, b) => a.seq - b.seq);
  }

  get lastSeq() {
    return this.sorted.at(-1)?.seq ?? 0;
  }

  /** @param {number} seen @returns {number} answers after that sequence number */
  unread(seen) {
    return this.sorted.filter((message) => message.seq > seen && (message.role === 'assistant' || message.role === 'staff')).length;
  }

  /** True while the customer may expect an answer that has not begun. @param {number} [now] epoch seconds */
  awaiting(now = Date.now() / 1000) {
    if (this.status !== 'bot' || this.model !== 'ready') return false;
    const last = this.sorted.at(-1);
    return [...this.pending.values()].some((entry) => entry.sent) || (last?.role === 'customer' && last.seq > this.settledSeq && now - last.at < ANSWER_EXPECTED_S);
  }

  /** @param {{messages: Message[], last_event_id: number, status: string, position: number|null, model: string}} snapshot */
  load(snapshot) {
    for (const message of snapshot.messages) this.#keep(message);
    const last = Number(snapshot.last_event_id) || 0;
    this.status = snapshot.status ?? 'bot';
    // The draft's end may be among the events that were passed over; the stream sends an open draft again from its start.
    if (last > this.lastId || this.status !== 'bot') this.draft = null;
    this.lastId = Math.max(this.lastId, last);
    this.position = snapshot.position ?? null;
    this.model = snapshot.model ?? 'ready';
    if (this.draft && this.sorted.some((message) => message.role === 'assistant' && message.turn === this.draft?.turn)) this.draft = null;
  }

  /** Applies one frame; a committed frame that was applied before changes nothing. @param {Frame} frame */
  apply(frame) {
    if (frame.id !== null) {
      if (frame.id <= this.lastId) return;
      this.lastId = frame.id;
    }
    const act = EVENTS[frame.event];
    if (act) act(this, frame.data);
  }

  /** @param {Entry} entry */
  hold(entry) {
    const known = [...this.messages.values()].some((message) => message.client_message_id === entry.id);
    if (!known) this.pending.set(entry.id, { ...this.pending.get(entry.id), ...entry });
  }

  /** @param {string} id */
  sent(id) {
    const entry = this.pending.get(id);
    if (entry) entry.sent = true;
  }

  /** @param {Message} message @returns {boolean} false when it was here before */
  #keep(message) {
    if (message.client_message_id) this.pending.delete(message.client_message_id);
    const fresh = !this.messages.has(message.id);
    this.messages.set(message.id, { ...this.messages.get(message.id), ...message });
    return fresh;
  }

  /** @param {Message} message */
  arrive(message) {
    if (message.role === 'staff') this.staffTypingUntil = 0;
    if (this.#keep(message)) this.heard.onArrive(message);
  }

  /** @param {{turn: string|number, attempt: number}} data */
  begin({ turn, attempt }) {
    if (this.endings.has(`${turn}:${attempt}`)) return;
    if (this.draft?.turn === turn && this.draft.attempt >= attempt) return;
    this.draft = { turn, attempt, text: '', length: 0 };
  }

  /** @param {{turn: string|number, attempt: number, offset: number, text: string}} data */
  write({ turn, attempt, offset, text }) {
    if (this.endings.has(`${turn}:${attempt}`)) return;
    const same = this.draft?.turn === turn && this.draft.attempt === attempt;
    if (!same && offset === 0) this.draft = { turn, attempt, text: '', length: 0 };
    const { draft } = this;
    if (!draft || draft.turn !== turn || draft.attempt !== attempt || offset > draft.length) {
      this.heard.onBrokenDraft();
      return;
    }
    const kept = offset === draft.length ? draft.text : [...draft.text].slice(0, offset).join('');
    draft.text = kept + text;
    draft.length = offset + codePoints(text);
    if (this.model === 'busy') this.model = 'ready';
  }

  /** Final and withdrawn take the draft away; replaced empties it until the next attempt writes.
   * @param {{turn: string|number, attempt: number, how: string}} data
   */
  finish({ turn, attempt, how }) {
    this.endings.add(`${turn}:${attempt}`);
    if (this.endings.size > KEPT_ENDINGS) this.endings.delete(/** @type {string} */ (this.endings.values().next().value));
    if (!this.draft || this.draft.turn !== turn || this.draft.attempt > attempt) return;
    if (how === 'withdrawn') this.settle();
    this.draft = how === 'replaced' ? { turn, attempt, text: '', length: 0 } : null;
  }
}

/** @type {Record<string, (timeline: Timeline, data: any) => void>} */
const EVENTS = {
  message: (timeline, data) => timeline.arrive(data),
  draft_started: (timeline, data) => timeline.begin(data),
  draft: (timeline, data) => timeline.write(data),
  draft_ended: (timeline, data) => timeline.finish(data),
  state(timeline, data) {
    timeline.status = data.status;
    timeline.position = data.position ?? null;
    if (data.status === 'claimed') timeline.draft = null;
    timeline.heard.onStatus();
  },
  feedback(timeline, data) {
    const message = timeline.messages.get(data.message_id);
    if (message) timeline.messages.set(message.id, { ...message, feedback: data.value ?? null });
  },
  status(timeline, data) {
    timeline.model = data.model;
  },
  typing(timeline, data) {
    if (data.who === 'staff') timeline.staffTypingUntil = Date.now() + TYPING_S * 1000;
  },
  reset: (timeline) => timeline.heard.onReset(),
  session_ended: (timeline) => timeline.heard.onEnded(),
};
