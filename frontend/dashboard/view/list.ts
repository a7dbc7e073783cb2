// A list that is read a page at a time.
import { useState } from "react";
import type { Listing } from "../api";
import { type Deed, type Loaded, useDeed, useLoad } from "./hooks";

export interface List<Row> extends Omit<Loaded<Listing<Row>>, "value"> {
  rows: readonly Row[] | null;
  next: string | number | null;
  further: Deed;
  more(): void;
}

/** `everyMs`: how often its first page is asked for again; the further ones stay as they were. */
export function useList<Row>(
  key: string,
  load: (before: string | number | null) => Promise<Listing<Row>>,
  idOf: (row: Row) => string | number,
  everyMs: number | null = null,
): List<Row> {
  const { value, ...loaded } = useLoad(key, () => load(null), everyMs);
  const [tail, setTail] = useState<{ key: string; page: Listing<Row> } | null>(null);
  const further = useDeed();
  const behind = tail?.key === key ? tail.page : null;
  const first = loaded.fresh ? value : null;
  const next = behind ? behind.next : (first?.next ?? null);
  const more = () =>
    void further.run(async () => {
      const page = await load(next);
      setTail({ key, page: { rows: [...(behind?.rows ?? []), ...page.rows], next: page.next } });
    });
  const known = new Set(first?.rows.map(idOf));
  const rows = first && [...first.rows, ...(behind?.rows ?? []).filter((row) => !known.has(idOf(row)))];
  return { ...loaded, rows, next, further, more };
}
