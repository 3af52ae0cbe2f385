/* frontdesk loader: one script tag puts a launcher and a chat frame into a host page.
 *
 *   <script async src="https://desk.example/widget.js" data-account="default"></script>
 *
 * Nothing here needs inline style or script: the launcher lives in a closed shadow root with an adopted style sheet,
 * and the conversation lives in an iframe of the desk's own origin. The visitor's token never reaches this page.
 */
(() => {
  'use strict';

  const script = document.currentScript || document.querySelector('script[data-account][src*="widget.js"]');
  if (!script || window.frontdesk) return;

  const BASE = new URL('.', script.src);
  const DESK = BASE.origin;
  const FULL_SCREEN = window.matchMedia('(max-width: 479.98px)');
  const KNOWN_KEY = 'frontdesk:known'; // "this visitor has opened the chat before": no token, no text
  const OPEN_KEY = 'frontdesk:open';
  const BADGE_CAP = 9;
  const SVG = 'http://www.w3.org/2000/svg';

  // The launcher exists before the frame's catalogue is loaded; a test keeps these equal to locales.js.
  const STRINGS = {
    en: { open: 'Open chat', openUnread: 'Open chat ({n} unread)', close: 'Close chat', panel: 'Chat window' },
    de: { open: 'Chat öffnen', openUnread: 'Chat öffnen ({n} ungelesen)', close: 'Chat schließen', panel: 'Chatfenster' },
    ar: { open: 'فتح المحادثة', openUnread: 'فتح المحادثة ({n} غير مقروءة)', close: 'إغلاق المحادثة', panel: 'نافذة المحادثة' },
  };

  const CSS = `
:host{all:initial!important;display:block!important;position:fixed!important;inset:auto!important;z-index:2147483000!important;
  width:0!important;height:0!important;margin:0!important;padding:0!important;border:0!important;overflow:visible!important}
*{box-sizing:border-box}
.launcher{--gap:max(20px,env(safe-area-inset-bottom));position:fixed;bottom:var(--gap);width:60px;height:60px;border:0;border-radius:50%;
  padding:0;margin:0;cursor:pointer;display:grid;place-items:center;background:var(--accent,#3457d5);color:var(--on-accent,#fff);
  box-shadow:0 1px 2px rgb(10 20 40/.16),0 8px 24px rgb(10 20 40/.22);transition:transform .18s ease,box-shadow .18s ease,opacity .18s ease;
  -webkit-tap-highlight-color:transparent}
.launcher:hover{transform:translateY(-2px);box-shadow:0 2px 4px rgb(10 20 40/.16),0 12px 30px rgb(10 20 40/.28)}
.launcher:active{transform:scale(.96)}
.launcher:focus-visible{outline:3px solid var(--accent,#3457d5);outline-offset:3px;box-shadow:0 0 0 3px #fff,0 8px 24px rgb(10 20 40/.22)}
.right .launcher{right:max(20px,env(safe-area-inset-right))}.left .launcher{left:max(20px,env(safe-area-inset-left))}
.launcher svg{grid-area:1/1;width:28px;height:28px;transition:opacity .18s ease,transform .22s ease}
.launcher .i-close{opacity:0;transform:rotate(-45deg) scale(.6)}
.open .launcher .i-close{opacity:1;transform:none}.open .launcher .i-chat{opacity:0;transform:rotate(45deg) scale(.6)}
.badge{position:absolute;top:-4px;inset-inline-end:-4px;min-width:22px;height:22px;padding:0 6px;border-radius:11px;background:#c6263a;color:#fff;
  font:600 12px/22px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;text-align:center;box-shadow:0 0 0 2px #fff}
.badge[hidden]{display:none}
.panel{position:fixed;bottom:calc(max(20px,env(safe-area-inset-bottom)) + 76px);width:384px;max-width:calc(100vw - 40px);height:640px;
  max-height:calc(100vh - 120px);max-height:calc(100dvh - 120px);border-radius:18px;overflow:hidden;background:#fff;
  box-shadow:0 0 0 1px rgb(10 20 40/.07),0 18px 60px rgb(10 20 40/.24);visibility:hidden;opacity:0;transform:translateY(12px) scale(.98);
  transition:opacity .18s ease,transform .22s cubic-bezier(.2,.8,.3,1),visibility 0s .22s}
.right .panel{right:max(20px,env(safe-area-inset-right));transform-origin:100% 100%}
.left .panel{left:max(20px,env(safe-area-inset-left));transform-origin:0 100%}
.open .panel{visibility:visible;opacity:1;transform:none;transition-delay:0s}
iframe{display:block;border:0;width:100%;height:100%;background:transparent;color-scheme:light dark}
.edge{position:absolute;width:1px;height:1px;opacity:0}.edge[hidden]{display:none}
@media (max-width:479.98px){
  .root .panel{inset:0;width:100%;max-width:none;height:100vh;height:100dvh;max-height:none;border-radius:0;box-shadow:none;
    padding:env(safe-area-inset-top) env(safe-area-inset-right) env(safe-area-inset-bottom) env(safe-area-inset-left)}
  .open .launcher{visibility:hidden}
}
@media (prefers-color-scheme:dark){.panel{background:#12161c;box-shadow:0 0 0 1px rgb(255 255 255/.09),0 18px 60px rgb(0 0 0/.6)}}
@media (prefers-reduced-motion:reduce){.launcher,.launcher svg,.panel{transition:none!important;transform:none!important}}
@media (forced-colors:active){.launcher,.badge,.panel{border:2px solid ButtonText}}
@media print{.root{display:none}}`;

  /** @param {string|undefined} value @returns {string} a #rrggbb colour or '' */
  const hexColour = (value) => {
    const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(value || '');
    if (short) return `#${short.slice(1).map((digit) => digit + digit).join('')}`;
    return /^#[0-9a-f]{6}$/i.test(value || '') ? String(value) : '';
  };

  /** Black or white, whichever reads better on the accent (WCAG relative luminance). @param {string} hex */
  const inkOn = (hex) => {
    const [r, g, b] = [1, 3, 5].map((at) => {
      const channel = parseInt(hex.slice(at, at + 2), 16) / 255;
      return channel <= 0.03928 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? '#10151c' : '#ffffff';
  };

  /** Storage may be blocked by the browser or the host; then nothing is remembered. */
  const remember = (store, key, value) => {
    try {
      if (value === undefined) return window[store].getItem(key);
      if (value === null) window[store].removeItem(key);
      else window[store].setItem(key, value);
    } catch { /* blocked storage only costs the memory of "was open" */ }
    return null;
  };

  const account = script.dataset.account || 'default';
  const colour = hexColour(script.dataset.color);
  const LOGOUT_KEY = `frontdesk:logout:${account}`; // a sign-out that the frame has not confirmed yet
  /** @type {Map<string, Set<Function>>} */
  const listeners = new Map();
  let locale = script.dataset.locale || document.documentElement.lang || navigator.language || 'en';
  let frame = /** @type {HTMLIFrameElement|null} */ (null);
  let ready = false;
  let opened = false;
  let unread = 0;
  let savedOverflow = '';
  /** @type {object[]} what the host asked for before the frame was there */
  let queued = [];

  const make = (tag, className) => Object.assign(document.createElement(tag), { className });
  const icon = (className, shapes) => {
    const svg = document.createElementNS(SVG, 'svg');
    for (const [key, value] of Object.entries({ viewBox: '0 0 24 24', fill: 'none', stroke: 'currentColor', 'stroke-width': '1.8',
      'stroke-linecap': 'round', 'stroke-linejoin': 'round', 'aria-hidden': 'true', class: className })) svg.setAttribute(key, value);
    for (const d of shapes) svg.appendChild(document.createElementNS(SVG, 'path')).setAttribute('d', d);
    return svg;
  };

  const host = document.createElement('div');
  host.id = 'frontdesk-widget';
  const shadow = host.attachShadow({ mode: 'closed' });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(CSS);
  shadow.adoptedStyleSheets = [sheet];
  const root = make('div', 'root');
  const panel = make('div', 'panel');
  const launcher = make('button', 'launcher');
  const badge = make('span', 'badge');
  const edges = [make('div', 'edge'), make('div', 'edge')];
  launcher.type = 'button';
  badge.hidden = true;
  badge.setAttribute('aria-hidden', 'true');
  panel.id = 'panel';
  panel.setAttribute('role', 'dialog');
  launcher.setAttribute('aria-controls', 'panel');
  launcher.append(icon('i-chat', ['M20.5 11.4c0 4.1-3.8 7.4-8.5 7.4-1 0-2-.15-2.9-.43L4.3 20l1.2-3.7c-1.3-1.3-2-3-2-4.9C3.5 7.3 7.3 4 12 4s8.5 3.3 8.5 7.4Z',
    'M8.5 11.5h.01M12 11.5h.01M15.5 11.5h.01']), icon('i-close', ['M6 9.5l6 6 6-6']), badge);
  for (const edge of edges) {
    edge.tabIndex = 0;
    edge.hidden = true;
  }
  panel.append(...edges);
  root.append(panel, launcher);
  shadow.append(root);
  if (colour) {
    root.style.setProperty('--accent', colour);
    root.style.setProperty('--on-accent', inkOn(colour));
  }

  const text = (key) => (STRINGS[locale.toLowerCase().split('-')[0]] || STRINGS.en)[key].replace('{n}', String(unread));

  function side() {
    const wanted = script.dataset.position;
    if (wanted === 'left' || wanted === 'right') return wanted;
    return getComputedStyle(document.documentElement).direction === 'rtl' ? 'left' : 'right';
  }

  function paint() {
    root.className = `root ${side()}${opened ? ' open' : ''}`;
    launcher.setAttribute('aria-expanded', String(opened));
    launcher.setAttribute('aria-label', text(opened ? 'close' : unread ? 'openUnread' : 'open'));
    panel.setAttribute('aria-label', text('panel'));
    if (frame) frame.title = text('panel');
    badge.hidden = opened || unread === 0;
    badge.textContent = unread > BADGE_CAP ? `${BADGE_CAP}+` : String(unread);
    const trap = opened && FULL_SCREEN.matches;
    for (const edge of edges) edge.hidden = !trap;
    if (trap) panel.setAttribute('aria-modal', 'true');
    else panel.removeAttribute('aria-modal');
  }

  function emit(name, detail) {
    for (const listener of listeners.get(name) || []) listener(detail);
  }

  /** Sends to the frame, or keeps it until the frame says it is there. */
  function tell(message) {
    if (ready && frame && frame.contentWindow) frame.contentWindow.postMessage({ frontdesk: 1, ...message }, DESK);
    else queued.push(message);
  }

  function mountFrame() {
    if (frame) return;
    const url = new URL('web/frame', BASE);
    url.search = new URLSearchParams({ account, origin: location.origin }).toString();
    url.hash = new URLSearchParams({ locale, color: colour }).toString();
    frame = document.createElement('iframe');
    frame.title = text('panel');
    frame.src = url.href;
    edges[0].after(frame);
  }

  /** Follows the on-screen keyboard in full screen, where fixed boxes keep the height they had without it. */
  function fitViewport() {
    const view = window.visualViewport;
    const fit = opened && FULL_SCREEN.matches && view;
    panel.style.height = fit ? `${view.height}px` : '';
    panel.style.top = fit ? `${view.offsetTop}px` : '';
    panel.style.bottom = fit ? 'auto' : '';
  }

  function lockScroll(lock) {
    const style = document.documentElement.style;
    if (lock) savedOverflow = style.overflow;
    style.overflow = lock ? 'hidden' : savedOverflow;
  }

  function open({ focus = true } = {}) {
    if (opened) return;
    opened = true;
    mountFrame();
    remember('localStorage', KNOWN_KEY, '1');
    remember('sessionStorage', OPEN_KEY, '1');
    if (FULL_SCREEN.matches) lockScroll(true);
    paint();
    fitViewport();
    if (focus) frame.focus();
    tell({ type: 'open', focus });
    emit('open');
  }

  function close() {
    if (!opened) return;
    opened = false;
    remember('sessionStorage', OPEN_KEY, null);
    if (document.documentElement.style.overflow === 'hidden') lockScroll(false);
    paint();
    fitViewport();
    tell({ type: 'close' });
    launcher.focus({ preventScroll: true });
    emit('close');
  }

  const toggle = () => (opened ? close() : open());

  /** @type {Record<string, (message: any) => void>} */
  const FROM_FRAME = {
    ready() {
      ready = true;
      const waiting = queued;
      queued = [];
      waiting.forEach(tell);
      emit('ready');
    },
    close,
    unread(message) {
      unread = Math.max(0, Number(message.count) || 0);
      paint();
      emit('unread', unread);
    },
    event(message) {
      if (message.name === 'ended') remember('localStorage', LOGOUT_KEY, null);
      emit(String(message.name), message.detail);
    },
  };

  window.addEventListener('message', (event) => {
    if (!frame || event.source !== frame.contentWindow || event.origin !== DESK) return;
    const message = event.data;
    if (!message || message.frontdesk !== 1 || !Object.hasOwn(FROM_FRAME, message.type)) return;
    FROM_FRAME[message.type](message);
  });
  launcher.addEventListener('click', toggle);
  root.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && opened) close();
  });
  edges.forEach((edge, index) => edge.addEventListener('focus', () => {
    frame.focus();
    tell({ type: 'focus', edge: index === 0 ? 'last' : 'first' });
  }));
  FULL_SCREEN.addEventListener('change', () => {
    paint();
    fitViewport();
  });
  if (window.visualViewport) {
    window.visualViewport.addEventListener('resize', fitViewport);
    window.visualViewport.addEventListener('scroll', fitViewport);
  }

  window.frontdesk = Object.freeze({
    open: () => open(),
    close,
    toggle,
    /** Tells the desk who is signed in: a short-lived HS256 JWT made by the site's own server. */
    identify(jwt) {
      if (typeof jwt !== 'string' || !jwt) throw new TypeError('frontdesk.identify needs the signed token as a string');
      tell({ type: 'identify', jwt });
      if (!frame && remember('localStorage', KNOWN_KEY)) mountFrame();
    },
    setLocale(next) {
      locale = String(next || 'en');
      paint();
      tell({ type: 'locale', locale });
    },
    /** Ends the conversation on this device and clears its history. */
    logout() {
      if (!ready) remember('localStorage', LOGOUT_KEY, '1');
      mountFrame();
      tell({ type: 'logout' });
    },
    /** @returns {() => void} takes the listener off again */
    on(name, listener) {
      if (typeof listener !== 'function') throw new TypeError('frontdesk.on needs a function');
      if (!listeners.has(name)) listeners.set(name, new Set());
      listeners.get(name).add(listener);
      return () => listeners.get(name).delete(listener);
    },
  });

  function mount() {
    document.body.append(host);
    paint();
    if (remember('localStorage', LOGOUT_KEY) && !queued.some((each) => each.type === 'logout')) {
      queued.unshift({ type: 'logout' });
      mountFrame();
    }
    if (remember('sessionStorage', OPEN_KEY) && !FULL_SCREEN.matches) open({ focus: false });
    else if (remember('localStorage', KNOWN_KEY)) (window.requestIdleCallback || setTimeout)(mountFrame);
    window.dispatchEvent(new CustomEvent('frontdesk:ready'));
  }
  if (document.body) mount();
  else document.addEventListener('DOMContentLoaded', mount, { once: true });
})();
