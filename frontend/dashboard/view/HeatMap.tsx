// How long events took over time: the darker a field, the more of them.
import { useEffect, useRef } from "react";
import { heat } from "../series";
import type { Overview } from "../shapes";
import { Figure } from "./Chart";
import { useLook } from "./hooks";
import { useLocale } from "./locale";
import { Table } from "./parts";

const ROW = 8;
const FAINTEST = 0.15;

export function HeatMap({ of }: { of: Overview }) {
  const { t, f } = useLocale();
  const canvas = useRef<HTMLCanvasElement>(null);
  const look = useLook();
  const bounds = of.heat_map.bounds_ms;
  const map = heat(of);
  const bound = (row: number): string =>
    row < bounds.length ? t.upTo(f.duration(bounds[row])) : t.longerThan(f.duration(bounds.at(-1)));
  useEffect(() => {
    const shown = canvas.current;
    const pen = shown?.getContext("2d");
    if (!shown || !pen) return;
    const drawn = heat(of);
    shown.width = Math.max(1, drawn.columns);
    shown.height = drawn.rows * ROW;
    pen.fillStyle = getComputedStyle(shown).color;
    for (const [column, row, events] of drawn.cells) {
      pen.globalAlpha = FAINTEST + (1 - FAINTEST) * (Math.log1p(events) / Math.log1p(drawn.most));
      pen.fillRect(column, (drawn.rows - 1 - row) * ROW, 1, ROW);
    }
  }, [of, look]);
  const rangeMs = (of.times.at(-1) ?? 0) - (of.times[0] ?? 0);
  return (
    <Figure
      title={t.heatMap}
      testId="chart-heat"
      sentence={map.busiest === null ? t.chartEmpty : t.heatSays(bound(map.busiest), f.count(map.byClass[map.busiest]))}
      table={
        <Table caption={t.heatMap} hideCaption head={[t.duration, t.eventsCount]}>
          {map.byClass.map((events, row) =>
            events > 0 ? (
              <tr key={row}>
                <th scope="row">{bound(row)}</th>
                <td>{f.count(events)}</td>
              </tr>
            ) : null,
          )}
        </Table>
      }
    >
      <div className="heat" aria-hidden="true">
        <div className="heat-scale">
          {[map.first + map.rows - 1, map.first + Math.floor(map.rows / 2), map.first].map((row) => (
            <span key={row}>{f.duration(bounds[Math.min(row, bounds.length - 1)])}</span>
          ))}
        </div>
        <canvas ref={canvas} />
        <div className="heat-times">
          <span>{f.tick(of.times[0] ?? 0, rangeMs)}</span>
          <span>{f.tick(of.times.at(-1) ?? 0, rangeMs)}</span>
        </div>
      </div>
    </Figure>
  );
}
