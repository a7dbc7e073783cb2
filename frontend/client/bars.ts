// Where a stage lies within its message's time, as fractions from 0 to 1: what a bar on a time line is drawn from.
import type { Message } from "./fold";
import type { Stage } from "./stage";

export interface Bar {
  /** Where the wait in the queue begins; `from` where there was none. */
  queued: number;
  from: number;
  to: number;
}

/** Null while nobody knows when the stage began. `now` is the server's time; a message that has ended needs none. */
export function barOf(stage: Stage, message: Message, now: number | null): Bar | null {
  const { startedAt, endedAt, queueMs } = stage;
  const end = message.endedAt ?? now ?? lastMoment(message);
  if (startedAt === null || message.startedAt === null || end === null) return null;
  const first = Math.min(message.startedAt, startedAt);
  const whole = Math.max(1, end - first, (endedAt ?? end) - first);
  const at = (moment: number) => Math.min(1, Math.max(0, (moment - first) / whole));
  return { queued: at(startedAt - (queueMs ?? 0)), from: at(startedAt), to: at(endedAt ?? end) };
}

function lastMoment({ stages }: Message): number | null {
  const moments = stages.flatMap(({ startedAt, endedAt }) => endedAt ?? startedAt ?? []);
  return moments.length > 0 ? Math.max(...moments) : null;
}
