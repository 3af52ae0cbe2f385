/** Every word the widget shows, in one catalogue. A locale that lacks a key falls back to English.
 *
 * Values are a string or plural forms (Intl.PluralRules categories); `{name}` is filled in by `t`.
 * To add a language: one more entry with the same keys (a test compares them), and the launcher's four in widget.js.
 */

/** @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Phrase */

/** @type {Record<string, Record<string, Phrase>>} */
export const CATALOGUE = {
  en: {
    open: 'Open chat', openUnread: 'Open chat ({n} unread)', close: 'Close chat', panel: 'Chat window',
    disclosure: 'AI assistant · a person can join',
    disclosure_staff: 'You are talking to our team',
    conversation: 'Conversation',
    greeting_title: 'Hello, how can we help?',
    greeting_body: 'Ask anything. An AI assistant answers right away, and a person can join whenever you like.',
    placeholder: 'Write a message…', message_label: 'Your message', send: 'Send message',
    stop: 'Stop', stopped: 'Stopped',
    ai: 'AI', assistant: 'Assistant', team: 'Team', you: 'You',
    writing: 'The assistant is writing', staff_writing: 'Someone from the team is writing',
    talk: 'Talk to a person',
    waiting: 'Waiting for a person',
    waiting_position: { one: 'Waiting for a person · you are next', other: 'Waiting for a person · number {n} in the queue' },
    claimed: 'A person has joined',
    closed: 'This conversation is closed. Write to open it again.',
    connecting: 'Connecting…', reconnecting: 'Reconnecting…', offline: 'You are offline. Messages are kept and sent later.',
    model_loading: 'The assistant is starting. Your message is kept and will be answered.',
    model_busy: 'Many people are asking right now. Your answer is in the queue.',
    model_down: 'The assistant is away. You can still write, or talk to a person.',
    sending: 'Sending…', sent: 'Sent', kept: 'Kept, will be sent',
    not_sent: 'Not sent', retry: 'Retry', discard: 'Delete',
    too_long: 'This message is too long. Please shorten it.',
    refused: 'The message was not accepted.',
    left: { one: '{n} character left', other: '{n} characters left' },
    over: { one: '{n} character too many', other: '{n} characters too many' },
    good: 'Good answer', bad: 'Bad answer', rate: 'Rate this answer', thanks: 'Thank you for telling us.',
    why: 'What was wrong?', wrong: 'Wrong', unclear: 'Unclear', incomplete: 'Incomplete', tone: 'Tone', other: 'Other',
    comment: 'Add a comment (optional)', comment_send: 'Send comment', failed_action: 'That did not work. Please try again.',
    today: 'Today', yesterday: 'Yesterday', jump: 'Newest messages',
    ended_title: 'This chat has ended', ended_body: 'The history was removed from this device.', start_again: 'Start a new chat',
    unavailable: 'Chat is not available on this page.',
    sources: 'Sources', source: 'Source {n}: {name}', source_count: { one: '{n} source', other: '{n} sources' }, open_source: 'Open the page',
    choices: 'Suggested answers',
  },
  de: {
    open: 'Chat öffnen', openUnread: 'Chat öffnen ({n} ungelesen)', close: 'Chat schließen', panel: 'Chatfenster',
    disclosure: 'KI-Assistent · Mensch auf Wunsch',
    disclosure_staff: 'Sie sprechen mit unserem Team',
    conversation: 'Unterhaltung',
    greeting_title: 'Hallo, wie können wir helfen?',
    greeting_body: 'Fragen Sie einfach. Ein KI-Assistent antwortet sofort, auf Wunsch kommt ein Mensch dazu.',
    placeholder: 'Nachricht schreiben…', message_label: 'Ihre Nachricht', send: 'Nachricht senden',
    stop: 'Anhalten', stopped: 'Angehalten',
    ai: 'KI', assistant: 'Assistent', team: 'Team', you: 'Sie',
    writing: 'Der Assistent schreibt', staff_writing: 'Jemand aus dem Team schreibt',
    talk: 'Mit dem Team sprechen',
    waiting: 'Wir holen einen Menschen dazu',
    waiting_position: { one: 'Wir holen jemanden dazu · Sie sind als Nächstes dran', other: 'Wir holen jemanden dazu · Platz {n} in der Warteschlange' },
    claimed: 'Ein Mensch ist dazugekommen',
    closed: 'Diese Unterhaltung ist beendet. Schreiben Sie, um sie fortzusetzen.',
    connecting: 'Verbinden…', reconnecting: 'Verbindung wird wiederhergestellt…', offline: 'Sie sind offline. Nachrichten werden aufbewahrt und später gesendet.',
    model_loading: 'Der Assistent startet. Ihre Nachricht ist gespeichert und wird beantwortet.',
    model_busy: 'Gerade fragen viele. Ihre Antwort steht in der Warteschlange.',
    model_down: 'Der Assistent ist nicht erreichbar. Schreiben Sie trotzdem, oder sprechen Sie mit einem Menschen.',
    sending: 'Wird gesendet…', sent: 'Gesendet', kept: 'Aufbewahrt, wird gesendet',
    not_sent: 'Nicht gesendet', retry: 'Erneut senden', discard: 'Löschen',
    too_long: 'Diese Nachricht ist zu lang. Bitte kürzen.',
    refused: 'Die Nachricht wurde nicht angenommen.',
    left: { one: 'noch {n} Zeichen', other: 'noch {n} Zeichen' },
    over: { one: '{n} Zeichen zu viel', other: '{n} Zeichen zu viel' },
    good: 'Gute Antwort', bad: 'Schlechte Antwort', rate: 'Antwort bewerten', thanks: 'Danke für den Hinweis.',
    why: 'Was war nicht gut?', wrong: 'Falsch', unclear: 'Unklar', incomplete: 'Unvollständig', tone: 'Tonfall', other: 'Anderes',
    comment: 'Kommentar (freiwillig)', comment_send: 'Kommentar senden', failed_action: 'Das hat nicht geklappt. Bitte noch einmal versuchen.',
    today: 'Heute', yesterday: 'Gestern', jump: 'Neueste Nachrichten',
    ended_title: 'Dieser Chat ist beendet', ended_body: 'Der Verlauf wurde von diesem Gerät entfernt.', start_again: 'Neuen Chat beginnen',
    unavailable: 'Der Chat ist auf dieser Seite nicht verfügbar.',
    sources: 'Quellen', source: 'Quelle {n}: {name}', source_count: { one: '{n} Quelle', other: '{n} Quellen' }, open_source: 'Seite öffnen',
    choices: 'Mögliche Antworten',
  },
  ar: {
    open: 'فتح المحادثة', openUnread: 'فتح المحادثة ({n} غير مقروءة)', close: 'إغلاق المحادثة', panel: 'نافذة المحادثة',
    disclosure: 'مساعد آلي · يمكن لشخص أن ينضم',
    disclosure_staff: 'أنت تتحدث مع فريقنا',
    conversation: 'المحادثة',
    greeting_title: 'مرحبًا، كيف يمكننا مساعدتك؟',
    greeting_body: 'اسأل ما تشاء. يجيب مساعد ذكاء اصطناعي فورًا، ويمكن لشخص من الفريق أن ينضم متى أردت.',
    placeholder: 'اكتب رسالة…', message_label: 'رسالتك', send: 'إرسال الرسالة',
    stop: 'إيقاف', stopped: 'أُوقفت',
    ai: 'ذكاء اصطناعي', assistant: 'المساعد', team: 'الفريق', you: 'أنت',
    writing: 'المساعد يكتب', staff_writing: 'أحد أعضاء الفريق يكتب',
    talk: 'التحدث إلى شخص',
    waiting: 'في انتظار أحد أعضاء الفريق',
    waiting_position: { one: 'في الانتظار · أنت التالي', other: 'في الانتظار · رقمك في الطابور {n}' },
    claimed: 'انضم أحد أعضاء الفريق',
    closed: 'أُغلقت هذه المحادثة. اكتب لفتحها من جديد.',
    connecting: 'جارٍ الاتصال…', reconnecting: 'جارٍ إعادة الاتصال…', offline: 'أنت غير متصل. ستُحفظ الرسائل وتُرسل لاحقًا.',
    model_loading: 'المساعد قيد التشغيل. رسالتك محفوظة وستتم الإجابة عنها.',
    model_busy: 'كثيرون يسألون الآن. إجابتك في قائمة الانتظار.',
    model_down: 'المساعد غير متاح. يمكنك الكتابة أو التحدث إلى شخص.',
    sending: 'جارٍ الإرسال…', sent: 'أُرسلت', kept: 'محفوظة وستُرسل',
    not_sent: 'لم تُرسل', retry: 'إعادة المحاولة', discard: 'حذف',
    too_long: 'هذه الرسالة طويلة جدًا. يُرجى اختصارها.',
    refused: 'لم تُقبل الرسالة.',
    left: { one: 'بقي حرف واحد', two: 'بقي حرفان', few: 'بقيت {n} أحرف', other: 'بقي {n} حرفًا' },
    over: { one: 'حرف واحد زائد', two: 'حرفان زائدان', few: '{n} أحرف زائدة', other: '{n} حرفًا زائدًا' },
    good: 'إجابة جيدة', bad: 'إجابة سيئة', rate: 'قيّم هذه الإجابة', thanks: 'شكرًا لإخبارنا.',
    why: 'ما المشكلة؟', wrong: 'خاطئة', unclear: 'غير واضحة', incomplete: 'ناقصة', tone: 'الأسلوب', other: 'أخرى',
    comment: 'أضف تعليقًا (اختياري)', comment_send: 'إرسال التعليق', failed_action: 'لم ينجح ذلك. حاول مرة أخرى.',
    today: 'اليوم', yesterday: 'أمس', jump: 'أحدث الرسائل',
    ended_title: 'انتهت هذه المحادثة', ended_body: 'أُزيل السجل من هذا الجهاز.', start_again: 'بدء محادثة جديدة',
    unavailable: 'المحادثة غير متاحة في هذه الصفحة.',
    sources: 'المصادر', source: 'المصدر {n}: {name}', source_count: { one: 'مصدر واحد', two: 'مصدران', few: '{n} مصادر', other: '{n} مصدرًا' }, open_source: 'فتح الصفحة',
    choices: 'إجابات مقترحة',
  },
};

const RTL = new Set(['ar', 'fa', 'he', 'ur']);
const DAY_MS = 86_400_000;

/** Turns keys, numbers and times into words of one language. */
export class Words {
  /** @param {string} [wanted] a BCP 47 tag; an unknown language gives English */
  constructor(wanted = 'en') {
    this.use(wanted);
  }

  /** @param {string} wanted */
  use(wanted) {
    const language = String(wanted).toLowerCase().split(/[-_]/)[0];
    this.language = language in CATALOGUE ? language : 'en';
    let tag = this.language;
    try {
      if (Intl.getCanonicalLocales(wanted)[0].startsWith(this.language)) tag = Intl.getCanonicalLocales(wanted)[0];
    } catch { /* a malformed tag only loses its region */ }
    this.tag = tag;
    this.dir = RTL.has(this.language) ? 'rtl' : 'ltr';
    this.plurals = new Intl.PluralRules(this.tag);
    this.numbers = new Intl.NumberFormat(this.tag);
    this.clock = new Intl.DateTimeFormat(this.tag, { hour: 'numeric', minute: '2-digit' });
    this.full = new Intl.DateTimeFormat(this.tag, { dateStyle: 'full', timeStyle: 'short' });
    this.days = new Intl.DateTimeFormat(this.tag, { weekday: 'long', day: 'numeric', month: 'long' });
  }

  /**
   * @param {string} key
   * @param {{n?: number, name?: string}} [fill] `n` also chooses the plural form
   */
  t(key, fill = {}) {
    const phrase = CATALOGUE[this.language][key] ?? CATALOGUE.en[key];
    const form = typeof phrase === 'string' ? phrase : phrase[this.plurals.select(fill.n ?? 0)] ?? phrase.other ?? '';
    return form.replace('{n}', this.numbers.format(fill.n ?? 0)).replace('{name}', () => fill.name ?? '');
  }

  /** @param {number} at epoch seconds */
  time(at) {
    return this.clock.format(at * 1000);
  }

  /** @param {number} at epoch seconds */
  moment(at) {
    return this.full.format(at * 1000);
  }

  /** @param {number} at epoch seconds */
  day(at) {
    const key = (/** @type {number} */ ms) => new Date(ms).toDateString();
    if (key(at * 1000) === key(Date.now())) return this.t('today');
    if (key(at * 1000) === key(Date.now() - DAY_MS)) return this.t('yesterday');
    return this.days.format(at * 1000);
  }
}
