// Where the bars of a trace lie: pure, from spans to rows.
import type { Span, SpanState, Trace } from "./shapes";

export interface Bar {
  span: Span;
  depth: number;
  /** Shares of the whole time, 0 to 1: where waiting begins, where work begins, where it ends. */
  queued: number;
  begin: number;
  end: number;
  open: boolean;
  critical: boolean;
  /** How long it has been at work, and had waited before, in milliseconds; null where that is not known. */
  workMs: number | null;
  queueMs: number | null;
}

export interface Waterfall {
  bars: Bar[];
  startMs: number;
  totalMs: number;
  ticks: Tick[];
}

export interface Tick {
  /** Share of the whole time, 0 to 1. */
  at: number;
  ms: number;
}

const OPEN: ReadonlySet<SpanState> = new Set(["queued", "running"]);

export const isOpen = (span: Span): boolean => OPEN.has(span.state);

/** When a span began to wait, or to work where it did not wait. */
const begins = ({ start, queued_ms }: Span): number => (start ?? Number.POSITIVE_INFINITY) - (queued_ms ?? 0);

function ends({ start, end, state }: Span, nowMs: number): number {
  const last = end ?? (OPEN.has(state) ? nowMs : start);
  return Math.max(last ?? nowMs, start ?? 0);
}

/** Spans in the order of a tree, each with its depth; one whose parent is unknown stands at the top. */
function inOrder(spans: readonly Span[]): { span: Span; depth: number }[] {
  const known = new Set(spans.map(({ id }) => id));
  const children = new Map<string | null, Span[]>();
  for (const span of [...spans].sort((one, other) => begins(one) - begins(other))) {
    const parent = span.parent !== null && known.has(span.parent) ? span.parent : null;
    children.set(parent, [...(children.get(parent) ?? []), span]);
  }
  const ordered: { span: Span; depth: number }[] = [];
  const seen = new Set<string>();
  const visit = (span: Span, depth: number): void => {
    if (seen.has(span.id)) return;
    seen.add(span.id);
    ordered.push({ span, depth });
    for (const child of children.get(span.id) ?? []) visit(child, depth + 1);
  };
  for (const span of children.get(null) ?? []) visit(span, 0);
  // Spans that are each other's parents hang on nothing: they are shown nevertheless.
  for (const span of spans) visit(span, 0);
  return ordered;
}

/** `nowMs` is the server's time: an open span reaches up to it. */
export function waterfall(trace: Trace, nowMs: number): Waterfall {
  const spans = trace.spans.filter(({ start }) => start !== null);
  const startMs = spans.reduce((least, span) => Math.min(least, begins(span)), trace.start ?? nowMs);
  const endMs = spans.reduce((most, span) => Math.max(most, ends(span, nowMs)), startMs + 1);
  const totalMs = endMs - startMs;
  const share = (ms: number): number => Math.min(1, Math.max(0, (ms - startMs) / totalMs));
  const critical = new Set(trace.critical_path);
  const bars = inOrder(spans).map(({ span, depth }): Bar => {
    const end = ends(span, nowMs);
    const waits = span.state === "queued";
    const begin = waits ? end : (span.start ?? end);
    return {
      span,
      depth,
      queued: share(begins(span)),
      begin: share(begin),
      end: share(end),
      open: OPEN.has(span.state),
      critical: critical.has(span.id),
      workMs: waits ? null : end - begin,
      queueMs: waits ? end - begins(span) : span.queued_ms,
    };
  });
  return { bars, startMs, totalMs, ticks: ticks(totalMs) };
}

const MOST_TICKS = 5;

/** Round times from the beginning on. */
export function ticks(totalMs: number, most = MOST_TICKS): Tick[] {
  const power = 10 ** Math.max(0, Math.floor(Math.log10(totalMs / most)));
  const each = [1, 2, 5, 10].map((step) => step * power).find((ms) => totalMs / ms <= most) ?? totalMs;
  return Array.from({ length: Math.floor(totalMs / each) + 1 }, (_, index) => ({
    at: (index * each) / totalMs,
    ms: index * each,
  }));
}

/** How much of the whole time the spans of the critical path account for, the longest first. */
export function criticalShares({ bars }: Waterfall): { bar: Bar; share: number }[] {
  const path = bars.filter(({ critical }) => critical);
  const whole = ({ queued, end }: Bar): number => end - queued;
  // What a span's children on the path account for is theirs.
  const own = (bar: Bar): number =>
    path.reduce((left, inner) => (inner.span.parent === bar.span.id ? left - whole(inner) : left), whole(bar));
  return path
    .map((bar) => ({ bar, share: Math.max(0, own(bar)) }))
    .filter(({ share }) => share > 0)
    .sort((one, other) => other.share - one.share);
}
