// Style sheets that one page needs: loaded with it, once.

const ROOT = new URL("../", import.meta.url); // where this build lies
const worn = new Map();

/** Loads a style sheet; answers when it is there, also when it failed: a page without it is still a page. */
export function sheet(name) {
  if (!worn.has(name)) {
    worn.set(name, new Promise((resolve) => {
      const link = document.createElement("link");
      link.rel = "stylesheet";
      link.href = new URL(name, ROOT).href;
      link.onload = link.onerror = resolve;
      document.head.append(link);
    }));
  }
  return worn.get(name);
}
