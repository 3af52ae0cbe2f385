// Lists that are read page by page, with a button for more.
import { api, queryOf } from "../../frame/api.js";
import { t } from "../../frame/i18n.js";
import { Button } from "../../frame/parts.js";
import { html, useEffect, useRef, useState } from "../../frame/ui.js";

/** Rows of `path` under `key`, read again when `values` change: {rows, error, more (null at the end), read}. */
export function usePages(path, key, values = {}) {
  const [found, setFound] = useState({ rows: null, next: null, error: null });
  const turn = useRef(0);
  const get = async (cursor, before) => {
    const mine = (turn.current += 1);
    try {
      const page = await api("GET", `${path}${queryOf({ ...values, cursor })}`);
      if (mine === turn.current) setFound({ rows: [...before, ...page[key]], next: page.next, error: null });
    } catch (error) {
      if (error.status === undefined) throw error;
      if (mine === turn.current) setFound((now) => ({ ...now, error }));
    }
  };
  const read = () => get("", []);
  useEffect(() => {
    setFound({ rows: null, next: null, error: null });
    read();
  }, [path, JSON.stringify(values)]);
  return { ...found, read, more: found.next ? () => get(found.next, found.rows) : null };
}

export const More = ({ more }) => more && html`<p class="centre"><${Button} run=${more}>${t("training.moreRows")}</${Button}></p>`;
