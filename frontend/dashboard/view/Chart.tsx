// A chart of lines or areas over time: a sentence that says what it shows, a table of the same, and the drawing.
import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import uPlot from "uplot";
import { type Line, peak, stacked, total } from "../series";
import { useLook } from "./hooks";
import { useLocale } from "./locale";
import { Table } from "./parts";

const HEIGHT = 190;
const COLOURS = 8;
const FEWEST = 4;
const DAY_MS = 86_400_000;
const MOST_DASHED = 100;
const DASHES: readonly (readonly number[])[] = [[], [6, 3], [2, 3], [10, 3, 2, 3]];

interface ChartProps {
  title: string;
  times: readonly number[];
  lines: readonly Line[];
  /** Areas on top of each other; otherwise lines. */
  areas?: boolean;
  /** The first colour, of eight. */
  colour?: number;
  say(value: number | null | undefined): string;
  children?: ReactNode;
  testId: string;
}

export function Chart({ title, times, lines, areas = false, colour = 0, say, children, testId }: ChartProps) {
  const { t, f } = useLocale();
  const [at, setAt] = useState<number | null>(null);
  const rangeMs = (times.at(-1) ?? 0) - (times[0] ?? 0);
  const highest = peak(times, lines, areas);
  const most = lines.filter(({ name }) => name !== t.others).sort((one, other) => total([other]) - total([one]))[0];
  const sentence =
    highest && highest.value > 0
      ? t.chartSays(f.tick(highest.timeMs, rangeMs), say(highest.value), areas && most ? most.name : null)
      : t.chartEmpty;
  const shown = at !== null && at < times.length ? at : null;
  return (
    <Figure
      title={title}
      sentence={sentence}
      testId={testId}
      extra={children}
      table={
        <Table caption={title} hideCaption head={[t.time, ...lines.map(({ name }) => name)]}>
          {times.map((time, row) => (
            <tr key={time}>
              <th scope="row">{f.tick(time, rangeMs)}</th>
              {lines.map(({ name, values }) => (
                <td key={name}>{say(values[row])}</td>
              ))}
            </tr>
          ))}
        </Table>
      }
    >
      <Drawing times={times} lines={lines} areas={areas} colour={colour} say={say} rangeMs={rangeMs} onPoint={setAt} />
      <p className="legend-time">{shown === null ? " " : f.tick(times[shown] ?? 0, rangeMs)}</p>
      <ul className="legend">
        {lines.map(({ name, values }, number) => (
          <li key={name} className={`colour-${((number + colour) % COLOURS) + 1}`}>
            <svg width="22" height="8" aria-hidden="true">
              <path d="M0 4h22" strokeDasharray={dash(number, times.length).join(" ")} />
            </svg>
            {name} {shown !== null && <b>{say(values[shown])}</b>}
          </li>
        ))}
      </ul>
    </Figure>
  );
}

/** Of so many points a dash is no longer to be told from a gap. */
const dash = (number: number, points: number): readonly number[] =>
  points > MOST_DASHED ? [] : (DASHES[number % DASHES.length] ?? []);

interface FigureProps {
  title: string;
  sentence: string;
  table: ReactNode;
  extra?: ReactNode;
  children: ReactNode;
  testId: string;
}

/** What all charts have: a title, a sentence, and a switch between the drawing and its table. */
export function Figure({ title, sentence, table, extra, children, testId }: FigureProps) {
  const { t } = useLocale();
  const [tabled, setTabled] = useState(false);
  const id = useId();
  return (
    <figure className="panel chart" aria-labelledby={id} data-testid={testId}>
      <figcaption>
        <h3 id={id}>{title}</h3>
        {extra}
        <button
          type="button"
          aria-pressed={tabled}
          aria-label={`${t.table}: ${title}`}
          onClick={() => setTabled(!tabled)}
        >
          {t.table}
        </button>
        <p className="muted">{sentence}</p>
      </figcaption>
      {tabled ? table : children}
    </figure>
  );
}

interface DrawingProps extends Pick<ChartProps, "times" | "lines" | "say"> {
  areas: boolean;
  colour: number;
  rangeMs: number;
  onPoint(at: number | null): void;
}

function Drawing({ times, lines, areas, colour, say, rangeMs, onPoint }: DrawingProps) {
  const { f } = useLocale();
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef({ say, onPoint, rangeMs, f });
  const look = useLook();
  const names = lines.map(({ name }) => name).join("\n");
  const data = [times.map((time) => time / 1000), ...(areas ? stacked(lines) : lines.map(({ values }) => values))];
  const held = useRef(data);
  useEffect(() => {
    latest.current = { say, onPoint, rangeMs, f };
    held.current = data;
  });
  useEffect(() => {
    const box = place.current;
    if (!box) return undefined;
    const made = new uPlot(options(box, names ? names.split("\n") : [], areas, colour, times.length, latest.current), held.current as uPlot.AlignedData, box);
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: box.clientWidth, height: HEIGHT }));
    resized.observe(box);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [names, areas, colour, look, rangeMs, times.length]);
  useEffect(() => plot.current?.setData(held.current as uPlot.AlignedData), [times, lines]);
  // The sentence and the table say what the drawing shows.
  return <div ref={place} className="drawing" aria-hidden="true" />;
}

interface Latest {
  say(value: number | null | undefined): string;
  onPoint(at: number | null): void;
  rangeMs: number;
  f: { tick(timeMs: number, rangeMs: number): string };
}

function options(box: HTMLElement, names: readonly string[], areas: boolean, colour: number, points: number, latest: Latest): uPlot.Options {
  const style = getComputedStyle(box);
  const named = (name: string): string => style.getPropertyValue(name).trim();
  const axis = { stroke: named("--muted"), grid: { stroke: named("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  const stroke = (number: number): string => named(`--colour-${((number + colour) % COLOURS) + 1}`);
  return {
    width: box.clientWidth,
    height: HEIGHT,
    // Room for the last time beside the axis.
    padding: [null, 28, null, null],
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    // Counts have no halves.
    scales: { y: { range: (_, __, most) => [0, Math.max(most * 1.08, areas ? FEWEST : 1)] } },
    axes: [
      { ...axis, size: 26, space: latest.rangeMs > DAY_MS ? 140 : 70, values: (_, splits) => splits.map((one) => latest.f.tick(one * 1000, latest.rangeMs)) },
      { ...axis, size: 66, space: 36, values: (_, splits) => splits.map((one) => latest.say(one)) },
    ],
    series: [
      {},
      ...names.map((label, number): uPlot.Series => {
        const ink = stroke(number);
        return {
          label,
          stroke: ink,
          width: areas ? 1 : 1.75,
          dash: [...dash(number, points)],
          points: { show: false },
          // The system's own colours are words, which take no share of themselves.
          ...(areas && ink.startsWith("#") ? { fill: `${ink}59` } : {}),
        };
      }),
    ],
    bands: areas ? names.slice(1).map((_, number) => ({ series: [number + 2, number + 1] })) : [],
    hooks: { setCursor: [(plot) => latest.onPoint(plot.cursor.idx ?? null)] },
  };
}
