/** Line icons, drawn as SVG nodes. They are decoration: the control that holds one carries the name. */

const SVG = 'http://www.w3.org/2000/svg';

/** @type {Record<string, string[]>} path data in a 24 x 24 box */
const SHAPES = {
  close: ['M6 9.5l6 6 6-6'],
  send: ['M12 19V5', 'M6 11l6-6 6 6'],
  stop: ['M8 8h8v8H8z'],
  up: ['M7 10.5v9', 'M7 10.5l4.2-6.3c1.3 0 2.3 1 2.3 2.3V9h4.6c1.2 0 2.1 1.1 1.9 2.3l-1.1 6.5c-.2 1-1 1.7-2 1.7H7', 'M3.6 10.5H7v9H3.6z'],
  down: ['M17 13.5v-9', 'M17 13.5l-4.2 6.3c-1.3 0-2.3-1-2.3-2.3V15H5.9c-1.2 0-2.1-1.1-1.9-2.3l1.1-6.5c.2-1 1-1.7 2-1.7H17', 'M20.4 13.5H17v-9h3.4z'],
  person: ['M12 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Z', 'M5 19.5c.6-3.3 3.4-5 7-5s6.4 1.7 7 5'],
  spark: ['M12 4l1.7 4.8c.2.7.8 1.3 1.5 1.5L20 12l-4.8 1.7c-.7.2-1.3.8-1.5 1.5L12 20l-1.7-4.8c-.2-.7-.8-1.3-1.5-1.5L4 12l4.8-1.7c.7-.2 1.3-.8 1.5-1.5z'],
  arrow: ['M12 5v14', 'M6 13l6 6 6-6'],
};

/** @param {keyof typeof SHAPES} name @returns {SVGSVGElement} */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  const attributes = {
    viewBox: '0 0 24 24', fill: 'none', stroke: 'currentColor', 'stroke-width': '1.8', 'stroke-linecap': 'round',
    'stroke-linejoin': 'round', 'aria-hidden': 'true', class: `icon icon-${name}`,
  };
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
  for (const shape of SHAPES[name]) svg.appendChild(document.createElementNS(SVG, 'path')).setAttribute('d', shape);
  return svg;
}

/**
 * Makes an element; children are nodes or text.
 * @param {string} tag @param {Record<string, any>} [properties] DOM properties; `aria`-prefixed and `data-` keys become attributes
 * @param {...(Node|string|null|false|undefined)} children
 * @returns {any}
 */
export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (key.includes('-') || key === 'role') node.setAttribute(key, String(value));
    else if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else Object.assign(node, { [key]: value });
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false).map((child) => /** @type {Node|string} */ (child)));
  return node;
}
