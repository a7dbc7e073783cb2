// The rows of the event table: a page at a time, and what is heard meanwhile.
import { useCallback, useContext, useEffect, useRef, useState } from "react";
import { type Problem, problemOf } from "../../app/problem";
import type { ConnectionState } from "../../client/stats";
import { events } from "../api";
import { merged, MOST_ROWS, passes, rowOf } from "../follow";
import type { Place } from "../place";
import type { EventRow } from "../shapes";
import { RefusedContext } from "./hooks";
import { useStream } from "./live";

const PAGE = 100;
/** What was on its way to the database when the stream opened is there by now. */
const SETTLED_MS = 1_500;

export interface Rows {
  rows: readonly EventRow[];
  /** How many have come that are not shown, since somebody reads further down. */
  waiting: number;
  ended: boolean;
  busy: boolean;
  problem: Problem | null;
  connection: ConnectionState;
  more(): void;
}

interface Held {
  rows: EventRow[];
  next: number | null;
  ended: boolean;
}

const NONE: Held = { rows: [], next: null, ended: false };

/** `top`: the newest rows are in sight, so that new ones may push them down. */
export function useRows(place: Place, top: boolean): Rows {
  const refused = useContext(RefusedContext);
  const [held, setHeld] = useState<Held>(NONE);
  const [later, setLater] = useState<EventRow[]>([]);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const { range, filter } = place;
  const key = JSON.stringify([range, filter]);
  const now = useRef({ key, place, busy: false });
  useEffect(() => {
    now.current.key = key;
    now.current.place = place;
  });

  const fetch = useCallback(
    async (before: number | null): Promise<void> => {
      const { key: asked, place: at } = now.current;
      setBusy(true);
      try {
        const page = await events(at, before, PAGE);
        if (now.current.key !== asked) return;
        setProblem(null);
        setHeld((old) => {
          // The newest ones asked again say nothing of what comes after the oldest.
          const further = before !== null || old.rows.length === 0;
          const tail = further ? { next: page.next, ended: !page.has_more } : { next: old.next, ended: old.ended };
          return { rows: merged(old.rows, page.events), ...tail };
        });
      } catch (error) {
        const found = problemOf(error);
        if (found.status === 401) refused();
        if (now.current.key === asked) setProblem(found);
      } finally {
        if (now.current.key === asked) setBusy(false);
      }
    },
    [refused],
  );

  useEffect(() => {
    now.current.key = key;
    setHeld(NONE);
    setLater([]);
    void fetch(null);
  }, [key, fetch]);

  const connection = useStream(place.live, (heard) => {
    const fresh = heard
      .map(rowOf)
      .filter((row) => row !== null)
      .filter((row) => passes(row, filter));
    if (fresh.length > 0) setLater((old) => merged(old, fresh));
  });
  useEffect(() => {
    if (connection !== "open") return undefined;
    void fetch(null);
    const timer = window.setTimeout(() => void fetch(null), SETTLED_MS);
    return () => window.clearTimeout(timer);
  }, [connection, fetch]);
  useEffect(() => {
    if (!top || later.length === 0) return;
    setHeld((old) => ({ ...old, rows: merged(old.rows, later) }));
    setLater([]);
  }, [top, later]);

  const more = useCallback(() => {
    if (!busy && !held.ended) void fetch(held.next);
  }, [busy, held, fetch]);
  const full = held.rows.length >= MOST_ROWS;
  return { rows: held.rows, waiting: later.length, ended: held.ended || full, busy, problem, connection, more };
}
