// The figures one looks at first.
import type { ReactNode } from "react";
import type { Tiles as Figures } from "../shapes";
import { useLocale } from "./locale";

const added = (parts: Record<string, number> | null): number | null =>
  parts && Object.values(parts).reduce((sum, value) => sum + value, 0);

export function Tiles({ tiles }: { tiles: Figures }) {
  const { t, f } = useLocale();
  const { connections, queues, recorder, redis, workers } = tiles;
  const named = (parts: Record<string, number> | null): string =>
    Object.entries(parts ?? {})
      .filter(([, value]) => value > 0)
      .map(([name, value]) => `${name} ${f.count(value)}`)
      .join(" · ");
  return (
    <dl className="tiles" data-testid="tiles">
      <Tile name={t.tiles.events} value={f.count(tiles.events_per_second)} note={t.inAll(f.count(tiles.events))} />
      <Tile name={t.tiles.runs} value={f.count(tiles.runs_per_minute)} note={t.inAll(f.count(tiles.runs))} />
      <Tile
        name={t.tiles.errors}
        value={f.share(tiles.error_share)}
        note={t.failed(f.count(tiles.failures))}
        bad={tiles.failures > 0}
      />
      <Tile name={t.tiles.connections} value={f.count(added(connections))} note={named(connections)} />
      <Tile
        name={t.tiles.feedLag}
        value={f.duration(tiles.feed_lag_ms?.p95)}
        note={tiles.feeds_behind ? t.behind(f.count(tiles.feeds_behind)) : ""}
        bad={Boolean(tiles.feeds_behind)}
      />
      <Tile name={t.tiles.queues} value={f.count(added(queues))} note={named(queues)} />
      <Tile
        name={t.tiles.recorder}
        value={f.duration(recorder?.lag_ms)}
        note={recorder ? t.waitingEvents(recorder.waiting_events, f.count(recorder.waiting_events)) : t.away}
        bad={!recorder}
      />
      <Tile
        name={t.tiles.redis}
        value={f.bytes(redis?.memory_bytes)}
        note={redis ? (redis.memory_limit_bytes > 0 ? t.of(f.bytes(redis.memory_limit_bytes)) : "") : t.away}
        bad={!redis}
      />
      <Tile name={t.tiles.workers} value={f.count(workers?.alive)} note="" bad={workers?.alive === 0} />
    </dl>
  );
}

function Tile({ name, value, note, bad = false }: { name: string; value: string; note: ReactNode; bad?: boolean }) {
  return (
    <div className="tile" data-bad={bad || undefined}>
      <dt>{name}</dt>
      <dd>{value}</dd>
      {note && <dd className="tile-note">{note}</dd>}
    </div>
  );
}
