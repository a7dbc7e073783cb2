// How things go: tiles, charts, and the stages one by one.
import { useMemo, useState } from "react";
import { coarse, overview } from "../api";
import { filtered, type Range } from "../place";
import { largest, latency } from "../series";
import type { Overview as Figures } from "../shapes";
import { Chart } from "./Chart";
import { FilterBar } from "./FilterBar";
import { HeatMap } from "./HeatMap";
import { useLoad } from "./hooks";
import { useLocale } from "./locale";
import { Table, Trouble } from "./parts";
import { Go, useWay } from "./place";
import { Tiles } from "./Tiles";

/** As often as a new bucket can be seen to grow. */
const EVERY_MS: Record<Range, number> = {
  "5m": 5_000,
  "15m": 5_000,
  "1h": 5_000,
  "6h": 30_000,
  "24h": 30_000,
  "7d": 60_000,
  "30d": 60_000,
  "90d": 60_000,
};
const MOST_LINES = 7;

export function Overview() {
  const { place } = useWay();
  const key = JSON.stringify([place.range, coarse(place.filter)]);
  const { value, problem, fresh, again } = useLoad(key, () => overview(place), place.live ? EVERY_MS[place.range] : null);
  return (
    <>
      <FilterBar
        stages={value?.stages.map(({ event_type }) => event_type) ?? []}
        words={["event_type", "event_status", "category", "priority"]}
      />
      <Trouble problem={problem} onAgain={again} />
      {value && (
        <div aria-busy={!fresh} className="overview" data-testid="overview" data-events={value.tiles.events}>
          <Tiles tiles={value.tiles} />
          <Charts of={value} />
          <Stages of={value} />
        </div>
      )}
    </>
  );
}

function Charts({ of }: { of: Figures }) {
  const { t, f } = useLocale();
  const [wanted, setWanted] = useState("");
  const volume = useMemo(() => largest(of.series.volume, MOST_LINES, t.others), [of, t]);
  const errors = useMemo(() => largest(of.series.errors, MOST_LINES, t.others), [of, t]);
  const timed = Object.keys(of.series.latency);
  const stage = timed.includes(wanted) ? wanted : (slowest(of) ?? "");
  const times = useMemo(() => latency(of, stage), [of, stage]);
  return (
    <div className="charts">
      <Chart title={t.volume} testId="chart-volume" times={of.times} lines={volume} areas say={f.short} />
      <Chart title={t.errors} testId="chart-errors" times={of.times} lines={errors} areas colour={5} say={f.short} />
      <Chart title={`${t.latency}${stage && `: ${stage}`}`} testId="chart-latency" times={of.times} lines={times} say={f.duration}>
        {timed.length > 1 && (
          <label>
            <span className="hidden">{t.words.event_type}</span>
            <select value={stage} onChange={({ target }) => setWanted(target.value)}>
              {timed.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          </label>
        )}
      </Chart>
      <HeatMap of={of} />
    </div>
  );
}

function slowest({ stages, series }: Figures): string | undefined {
  const timed = stages.filter(({ event_type }) => series.latency[event_type]);
  return timed.sort((one, other) => (other.p95_ms ?? 0) - (one.p95_ms ?? 0))[0]?.event_type;
}

function Stages({ of }: { of: Figures }) {
  const { t, f } = useLocale();
  const { place } = useWay();
  return (
    <section className="panel">
      <Table
        caption={t.byStage}
        testId="stages"
        head={[t.words.event_type, t.eventsCount, t.failures, t.errorShare, "p50", "p95", "p99"]}
      >
        {of.stages.map((stage) => (
          <tr key={stage.event_type}>
            <th scope="row">
              <Go to={{ view: "events", filter: filtered(place.filter, "event_type", stage.event_type) }}>
                {stage.event_type}
              </Go>
            </th>
            <td>{f.count(stage.events)}</td>
            <td>{f.count(stage.failed)}</td>
            <td>{f.share(stage.error_share)}</td>
            <td>{f.duration(stage.p50_ms)}</td>
            <td>{f.duration(stage.p95_ms)}</td>
            <td>{f.duration(stage.p99_ms)}</td>
          </tr>
        ))}
      </Table>
    </section>
  );
}
