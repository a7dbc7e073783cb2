// A table of many events, of which only the rows in sight are drawn.
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { rowsInSight } from "../rows";
import type { EventRow } from "../shapes";
import { useLocale } from "./locale";
import { State } from "./parts";
import { Go } from "./place";

const ROW = 34;

interface EventTableProps {
  rows: readonly EventRow[];
  waiting: number;
  ended: boolean;
  busy: boolean;
  onTop(top: boolean): void;
  onMore(): void;
}

export function EventTable({ rows, waiting, ended, busy, onTop, onMore }: EventTableProps) {
  const { t, f } = useLocale();
  const box = useRef<HTMLDivElement>(null);
  const [scroll, setScroll] = useState({ top: 0, height: 600 });
  const { first, end, above, below } = rowsInSight(rows.length, ROW, scroll.top, scroll.height);
  useLayoutEffect(() => {
    const seen = box.current;
    if (!seen) return undefined;
    const resized = new ResizeObserver(() => setScroll({ top: seen.scrollTop, height: seen.clientHeight }));
    resized.observe(seen);
    return () => resized.disconnect();
  }, []);
  const atEnd = end >= rows.length && rows.length > 0;
  useEffect(() => {
    if (atEnd && scroll.top > 0 && !busy && !ended) onMore();
  }, [atEnd, scroll.top, busy, ended, onMore]);
  const scrolled = () => {
    const seen = box.current;
    if (!seen) return;
    setScroll({ top: seen.scrollTop, height: seen.clientHeight });
    onTop(seen.scrollTop < ROW);
  };
  return (
    <div className="events">
      {waiting > 0 && (
        <button type="button" className="waiting" onClick={() => box.current?.scrollTo({ top: 0 })} data-testid="waiting">
          {t.newEvents(waiting)}
        </button>
      )}
      <div ref={box} className="table-box event-box" role="region" aria-label={t.views.events} tabIndex={0} onScroll={scrolled}>
        <table data-testid="events" data-rows={rows.length} aria-rowcount={rows.length + 1}>
          <caption className="hidden">{t.views.events}</caption>
          <thead>
            <tr aria-rowindex={1}>
              {[t.time, t.words.event_type, t.words.event_status, t.sentence, t.duration, t.words.session_id, t.words.user_id].map(
                (name) => (
                  <th key={name} scope="col">
                    {name}
                  </th>
                ),
              )}
            </tr>
          </thead>
          <tbody>
            <Gap height={above} />
            {rows.slice(first, end).map((row, at) => (
              <Row key={row.id} row={row} number={first + at + 2} time={f.exact(row.timestamp)} took={took(row, f.duration)} />
            ))}
            <Gap height={below} />
          </tbody>
        </table>
        {rows.length === 0 && <p className="empty">{busy ? t.loading : t.noEvents}</p>}
      </div>
      {!ended && rows.length > 0 && (
        <button type="button" disabled={busy} onClick={onMore} data-testid="more">
          {t.more}
        </button>
      )}
    </div>
  );
}

const took = (row: EventRow, say: (ms: number | null) => string): string =>
  row.processing_time_ms === null ? "" : say(row.processing_time_ms);

function Gap({ height }: { height: number }) {
  if (height === 0) return null;
  return (
    <tr aria-hidden="true" className="gap">
      <td colSpan={7} style={{ height }} />
    </tr>
  );
}

function Row({ row, number, time, took: length }: { row: EventRow; number: number; time: string; took: string }) {
  return (
    <tr aria-rowindex={number} data-testid="event" data-id={row.id} data-urgent={isUrgent(row) || undefined}>
      <th scope="row">
        <Go to={{ event: row.id }}>{time}</Go>
      </th>
      <td>{row.event_type}</td>
      <td>
        <State state={row.event_status} />
      </td>
      <td className="sentence">{row.user_message}</td>
      <td>{length}</td>
      <td className="id">{row.session_id}</td>
      <td className="id">{row.user_id}</td>
    </tr>
  );
}

const isUrgent = ({ priority }: EventRow): boolean => priority === "high" || priority === "critical";
