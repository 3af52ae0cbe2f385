/** The frame's side of the conversation with the host page: exact origins both ways, and never the token or a message's text. */

export class Host {
  /** @param {string} origin the host page's origin as the loader gave it; anything that is not one makes a frame that stands alone */
  constructor(origin) {
    /** @type {Map<string, (message: any) => void>} */
    this.heard = new Map();
    this.origin = /^https?:\/\/[^/?#]+$/.test(origin) ? origin : '';
    this.embedded = window.parent !== window && this.origin !== '';
    addEventListener('message', (event) => {
      if (!this.embedded || event.source !== window.parent || event.origin !== this.origin) return;
      if (event.data?.frontdesk === 1) this.heard.get(event.data.type)?.(event.data);
    });
  }

  /** @param {string} type @param {(message: any) => void} listener */
  on(type, listener) {
    this.heard.set(type, listener);
  }

  /** @param {string} type @param {object} [message] */
  tell(type, message = {}) {
    if (this.embedded) window.parent.postMessage({ frontdesk: 1, type, ...message }, this.origin);
  }

  /** What a page's own code may listen to with `frontdesk.on`. @param {string} name @param {object} [detail] */
  event(name, detail = {}) {
    this.tell('event', { name, detail });
  }
}
