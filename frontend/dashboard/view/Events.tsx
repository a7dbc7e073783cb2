// The events one by one, the newest first: stored ones by the page, live ones as they come.
import { useState } from "react";
import { event as eventOf, exportUrl } from "../api";
import { useLoad } from "./hooks";
import { EventTable } from "./EventTable";
import { FilterBar } from "./FilterBar";
import { useLocale } from "./locale";
import { Drawer, Json, Trouble } from "./parts";
import { Go, useWay } from "./place";
import type { EventRow } from "../shapes";
import { useRows } from "./rows";

export function Events() {
  const { t, f } = useLocale();
  const { place, go } = useWay();
  const [top, setTop] = useState(true);
  const table = useRows(place, top);
  const stages = [...new Set(table.rows.map(({ event_type }) => event_type))];
  return (
    <>
      <FilterBar
        stages={stages}
        words={["event_type", "event_status", "category", "priority", "session_id", "user_id", "message_id", "text"]}
      />
      <div className="bar">
        <p role="status" data-testid="stream" data-state={place.live ? table.connection : "paused"}>
          {place.live ? t.streams[table.connection] : t.paused}
        </p>
        <p className="muted">{t.shown(f.count(table.rows.length))}</p>
        <a href={exportUrl(place, "csv")} download data-testid="export-csv">
          {t.export} CSV
        </a>
        <a href={exportUrl(place, "ndjson")} download data-testid="export-ndjson">
          {t.export} NDJSON
        </a>
      </div>
      <Trouble problem={table.problem} onAgain={table.more} />
      <EventTable rows={table.rows} waiting={table.waiting} ended={table.ended} busy={table.busy} onTop={setTop} onMore={table.more} />
      {place.event !== null && (
        <EventDrawer
          key={place.event}
          id={place.event}
          known={table.rows.find(({ id }) => id === place.event) ?? null}
          onClose={() => go({ event: null })}
        />
      )}
    </>
  );
}

function EventDrawer({ id, known, onClose }: { id: number; known: EventRow | null; onClose(): void }) {
  const { t } = useLocale();
  // What came live has the stream's form; what is stored is the whole event.
  const { value, problem, loading } = useLoad(`event ${id}`, () => eventOf(id));
  const row = value ?? known;
  return (
    <Drawer title={t.event(id)} onClose={onClose}>
      <Trouble problem={problem} />
      {!row && !loading && <p>{t.noEvent}</p>}
      {row && (
        <>
          <p className="links">
            {row.message_id && (
              <Go to={{ view: "trace", run: row.message_id }} testId="to-trace">
                {t.toTrace}
              </Go>
            )}
            {row.session_id && <Go to={{ view: "sessions", session: row.session_id }}>{t.toSession}</Go>}
          </p>
          <Json value={row} />
        </>
      )}
    </Drawer>
  );
}
