// A list of any length with rows of one height: only what is in sight (and a little more) is in the page.
import { html, useEffect, useLayoutEffect, useRef, useState } from "./ui.js";

const SPARE = 8; // rows drawn above and below what is in sight
const NEAR_END = 20; // rows before the end at which more are asked for

/** `rows` with `key`, `height` in px, `draw(row, index)`; `selected` is kept in sight, `onEnd` asks for more. */
export function Virtual({ rows, height, draw, selected, onEnd, label, ...more }) {
  const box = useRef(null);
  const [place, setPlace] = useState({ top: 0, seen: 20 });
  const look = () => {
    const node = box.current;
    const next = { top: Math.floor(node.scrollTop / height), seen: Math.ceil(node.clientHeight / height) };
    setPlace((now) => (now.top === next.top && now.seen === next.seen ? now : next));
  };
  useLayoutEffect(() => {
    look();
    const watch = new ResizeObserver(look);
    watch.observe(box.current);
    return () => watch.disconnect();
  }, [height]);
  useEffect(() => {
    if (selected < 0) return;
    const node = box.current;
    const [from, to] = [selected * height, (selected + 1) * height];
    if (from < node.scrollTop) node.scrollTop = from;
    else if (to > node.scrollTop + node.clientHeight) node.scrollTop = to - node.clientHeight;
  }, [selected]);
  const first = Math.max(0, place.top - SPARE);
  const last = Math.min(rows.length, place.top + place.seen + SPARE);
  useEffect(() => {
    if (onEnd && rows.length && last > rows.length - NEAR_END) onEnd();
  }, [last, rows.length]);
  return html`<div class="virtual" ref=${box} onScroll=${look} ...${more}>
    <ul role="list" aria-label=${label} style=${{ height: `${rows.length * height}px` }}>
      ${rows.slice(first, last).map((row, index) => html`<li key=${row.id} aria-setsize=${rows.length} aria-posinset=${first + index + 1}
        style=${{ transform: `translateY(${(first + index) * height}px)`, height: `${height}px` }}>${draw(row, first + index)}</li>`)}
    </ul>
  </div>`;
}
