// Pages by address. Every place and filter lives in the URL, so it can be shared, bookmarked and gone back to.
import { signal } from "./ui.js";

const ROOT = "/console";
const HOME = "/inbox";
export const pages = [];

const read = () => ({ path: location.pathname.slice(ROOT.length), query: Object.fromEntries(new URLSearchParams(location.search)) });
export const route = signal(read());

/** Adds a page: `path` such as "/knowledge", `title` a word's key, `icon` a name, `load` answers a module whose default
 * export is the view (it gets `inside`, the rest of the path, and `query`). `role` is who may see it, `foot` puts it below. */
export const register = (page) => pages.push({ role: "viewer", ...page });

/** The page of a path and the rest of it. */
export function found(path) {
  const page = pages.find((each) => path === each.path || path.startsWith(`${each.path}/`)) || null;
  return { page, inside: page ? decodeURIComponent(path.slice(page.path.length + 1)) : "" };
}

/** The address of a place inside the console. */
export function href(path, query = {}) {
  const text = new URLSearchParams(Object.entries(query).filter(([, value]) => value)).toString();
  return ROOT + path + (text && `?${text}`);
}

/** Goes to a place inside the console; `replace` leaves no step to go back to. */
export function go(path, query = {}, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", href(path, query));
  route.value = read();
}

/** Changes some values of the query and keeps the rest; empty values leave it. */
export function patch(values, options) {
  go(route.value.path, { ...route.value.query, ...values }, options);
}

function follow(event) {
  const link = event.target.closest?.("a[href]");
  const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  if (!link || !plain || event.defaultPrevented || link.target || link.origin !== location.origin) return;
  const path = link.pathname.slice(ROOT.length);
  if (!link.pathname.startsWith(`${ROOT}/`) || !found(path).page) return;
  event.preventDefault();
  go(path, Object.fromEntries(new URLSearchParams(link.search)));
}

/** Starts following links and the browser's own back and forward. */
export function startRouter() {
  document.addEventListener("click", follow);
  addEventListener("popstate", () => {
    route.value = read();
  });
  if (!found(route.value.path).page) go(HOME, {}, { replace: true });
}
