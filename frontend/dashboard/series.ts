// From what the overview answers to what the charts draw and say.
import type { Overview, Values } from "./shapes";

export interface Line {
  name: string;
  values: Values;
}

const sum = (values: Values): number => values.reduce<number>((all, value) => all + (value ?? 0), 0);

/** The largest lines, each as it is, and one of all the others together. */
export function largest(series: Readonly<Record<string, number[]>>, most: number, rest: string): Line[] {
  const all = Object.entries(series)
    .map(([name, values]) => ({ name, values }))
    .sort((one, other) => sum(other.values) - sum(one.values));
  if (all.length <= most) return all;
  const [kept, others] = [all.slice(0, most - 1), all.slice(most - 1)];
  const values = (others[0]?.values ?? []).map((_, at) => others.reduce((added, line) => added + (line.values[at] ?? 0), 0));
  return [...kept, { name: rest, values }];
}

/** Each line on top of those before it, as areas are drawn. */
export function stacked(lines: readonly Line[]): number[][] {
  const heights: number[] = [];
  return lines.map(({ values }) =>
    values.map((value, at) => {
      const height = (heights[at] ?? 0) + (value ?? 0);
      heights[at] = height;
      return height;
    }),
  );
}

/** The three percentiles of a stage; of no stage where nothing was timed. */
export function latency({ series }: Overview, stage: string): Line[] {
  const found = series.latency[stage];
  return found ? (["p50", "p95", "p99"] as const).map((name) => ({ name, values: found[name] })) : [];
}

export interface Peak {
  value: number;
  timeMs: number;
}

/** The highest value of all lines together, and when; null where there is none. */
export function peak(times: readonly number[], lines: readonly Line[], together: boolean): Peak | null {
  let best: Peak | null = null;
  times.forEach((timeMs, at) => {
    const values = lines.map(({ values }) => values[at]).filter((value) => typeof value === "number");
    if (values.length === 0) return;
    const value = together ? sum(values) : Math.max(...values);
    if (!best || value > best.value) best = { value, timeMs };
  });
  return best;
}

export const total = (lines: readonly Line[]): number => lines.reduce((all, { values }) => all + sum(values), 0);

export interface Heat {
  columns: number;
  /** The classes of durations that are drawn: the first, and how many. */
  first: number;
  rows: number;
  most: number;
  cells: readonly (readonly [column: number, row: number, events: number])[];
  /** The class of durations with the most events; null where there is none. */
  busiest: number | null;
  /** The events of each class. */
  byClass: number[];
}

/** Room for a class on either side of those that have events. */
const BESIDE = 1;

export function heat({ times, heat_map }: Overview): Heat {
  const byClass = new Array<number>(heat_map.bounds_ms.length + 1).fill(0);
  let most = 0;
  for (const [, row, events] of heat_map.counts) {
    byClass[row] = (byClass[row] ?? 0) + events;
    most = Math.max(most, events);
  }
  const top = Math.max(...byClass);
  const used = byClass.flatMap((events, row) => (events > 0 ? [row] : []));
  const first = Math.max(0, (used[0] ?? 0) - BESIDE);
  const last = Math.min(byClass.length - 1, (used.at(-1) ?? byClass.length - 1) + BESIDE);
  const cells = heat_map.counts.map(([column, row, events]) => [column, row - first, events] as const);
  const busiest = top > 0 ? byClass.indexOf(top) : null;
  return { columns: times.length, first, rows: last - first + 1, most, cells, busiest, byClass };
}
