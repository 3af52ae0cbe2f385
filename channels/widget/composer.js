/** The field in which the customer writes: Enter sends, Shift+Enter breaks the line, the limit shows before it bites.
 * Text survives a reload, and so does what was typed before the scripts were there.
 */

const LIMIT_BYTES = 8_000; // the server refuses more than 8 kB of UTF-8
const WARN_BYTES = 7_200;
const TALLEST_PX = 140;

export class Composer {
  /**
   * @param {object} parts
   * @param {HTMLFormElement} parts.form
   * @param {HTMLTextAreaElement} parts.field
   * @param {HTMLButtonElement} parts.button
   * @param {HTMLElement} parts.counter
   * @param {string} parts.account
   * @param {import('./locales.js').Words} parts.words
   * @param {(text: string) => void} parts.onSend
   */
  constructor(parts) {
    this.parts = parts;
    this.key = `frontdesk:${parts.account}:unsent`;
    this.encoder = new TextEncoder();
    const { form, field } = parts;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
    field.addEventListener('keydown', (event) => this.#key(event));
    field.addEventListener('keypress', (event) => this.#key(event)); // of an Enter that went down before anyone listened
    field.addEventListener('input', () => {
      this.#store(field.value);
      this.refresh();
    });
  }

  /** Takes over what an earlier page left unsent, and what was typed here before anyone listened.
   *
   * An Enter could only break the line then, so a text that ends in one was meant to be sent.
   */
  start() {
    const { field } = this.parts;
    const kept = this.#stored();
    if (field.value.endsWith('\n')) this.#send();
    const typed = field.value.trim() ? field.value : '';
    const text = kept && typed ? `${kept}\n${typed}` : kept || typed;
    if (field.value !== text) field.value = text; // writing moves the caret, also in the middle of a word
    this.#store(text);
    this.refresh();
  }

  focus() {
    this.parts.field.focus({ preventScroll: true });
  }

  clear() {
    this.parts.field.value = '';
    this.#store('');
    this.refresh();
  }

  /** Fits the field's height and shows how much room is left. */
  refresh() {
    const { field, button, counter, words } = this.parts;
    field.dir = field.value ? 'auto' : words.dir; // an empty field shows its placeholder on the language's side
    field.style.height = 'auto';
    field.style.height = `${Math.min(field.scrollHeight, TALLEST_PX)}px`;
    const bytes = this.encoder.encode(field.value.trim()).length;
    const bytesPerCharacter = Math.max(1, bytes / Math.max(1, field.value.trim().length));
    const room = Math.trunc((LIMIT_BYTES - bytes) / bytesPerCharacter);
    const over = bytes > LIMIT_BYTES;
    counter.hidden = bytes < WARN_BYTES;
    counter.textContent = counter.hidden ? '' : words.t(over ? 'over' : 'left', { n: Math.max(over ? 1 : 0, Math.abs(room)) });
    counter.classList.toggle('over', over);
    field.setAttribute('aria-invalid', String(over));
    button.disabled = over || bytes === 0;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const composing = event.isComposing || event.keyCode === 229; // Safari ends composition before its Enter arrives
    if (event.key !== 'Enter' || event.shiftKey || composing) return;
    event.preventDefault();
    this.#send();
  }

  #send() {
    const text = this.parts.field.value.trim();
    if (!text || this.encoder.encode(text).length > LIMIT_BYTES) return;
    this.clear();
    this.parts.onSend(text);
  }

  /** @returns {string} */
  #stored() {
    try {
      return sessionStorage.getItem(this.key) ?? '';
    } catch {
      return '';
    }
  }

  /** @param {string} text */
  #store(text) {
    try {
      if (text) sessionStorage.setItem(this.key, text);
      else sessionStorage.removeItem(this.key);
    } catch { /* blocked storage: an unsent text is lost at reload, nothing else */ }
  }
}
