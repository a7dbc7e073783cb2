// Two runs side by side: for each stage how long it waited and worked in the one and in the other.
import type { Trace } from "./shapes";
import { waterfall } from "./waterfall";

export interface StageTime {
  workMs: number;
  queueMs: number;
  attempts: number;
}

export interface Comparison {
  stage: string;
  one: StageTime | null;
  other: StageTime | null;
  /** How much longer the other took, in milliseconds; null where only one of them has the stage. */
  differenceMs: number | null;
}

function times(trace: Trace): Map<string, StageTime> {
  const found = new Map<string, StageTime>();
  for (const { span, workMs, queueMs } of waterfall(trace, trace.now).bars) {
    const name = span.name ?? span.event_type;
    const sum = found.get(name) ?? { workMs: 0, queueMs: 0, attempts: 0 };
    sum.workMs += workMs ?? 0;
    sum.queueMs += queueMs ?? 0;
    sum.attempts += 1;
    found.set(name, sum);
  }
  return found;
}

/** In the order in which the first run went through its stages; then what only the other has. */
export function compare(one: Trace, other: Trace): Comparison[] {
  const [first, second] = [times(one), times(other)];
  return [...new Set([...first.keys(), ...second.keys()])].map((stage) => {
    const [left, right] = [first.get(stage) ?? null, second.get(stage) ?? null];
    const differenceMs = left && right ? right.workMs + right.queueMs - left.workMs - left.queueMs : null;
    return { stage, one: left, other: right, differenceMs };
  });
}
