// Where bars lie, what held an answer up, and two runs beside each other.
import assert from "node:assert/strict";
import test from "node:test";
import { compare } from "../compare";
import type { Span, Trace } from "../shapes";
import { criticalShares, ticks, waterfall } from "../waterfall";

function span(id: string, start: number | null, end: number | null, more: Partial<Span> = {}): Span {
  return {
    id,
    parent: null,
    event_type: id,
    attempt: 1,
    state: end === null ? "running" : "completed",
    queued_ms: null,
    start,
    end,
    reason: null,
    sentence: null,
    attributes: {},
    links: null,
    ...more,
  };
}

function trace(spans: Span[], more: Partial<Trace> = {}): Trace {
  return {
    message_id: "m",
    session_id: "s",
    status: "running",
    reason: null,
    open: true,
    start: 1_000,
    end: null,
    now: 2_000,
    duration_ms: null,
    whole: true,
    spans,
    critical_path: [],
    links: null,
    ...more,
  };
}

test("a bar begins when its stage was queued, and an open one reaches up to now", () => {
  const { bars, startMs, totalMs } = waterfall(
    trace([span("receive", 1_100, 1_200, { queued_ms: 100 }), span("generate", 1_500, null, { queued_ms: 250 })]),
    2_000,
  );
  assert.deepEqual([startMs, totalMs], [1_000, 1_000]);
  const [receive, generate] = bars;
  assert.deepEqual([receive?.queued, receive?.begin, receive?.end, receive?.open], [0, 0.1, 0.2, false]);
  assert.deepEqual([generate?.queued, generate?.begin, generate?.end, generate?.open], [0.25, 0.5, 1, true]);
  assert.deepEqual([generate?.workMs, generate?.queueMs], [500, 250]);
});

test("a stage that nobody has begun is waiting alone: no bar may say that somebody works at it", () => {
  const [bar] = waterfall(trace([span("queued", 1_000, null, { state: "queued" })]), 3_000).bars;
  assert.deepEqual([bar?.queued, bar?.begin, bar?.end, bar?.workMs, bar?.queueMs], [0, 1, 1, null, 2_000]);
});

test("children stand under their parents, tries one by one, and nothing is lost that hangs on nothing", () => {
  const spans = [
    span("think", 1_000, 1_900),
    span("search", 1_100, 1_300, { parent: "think", state: "failed" }),
    span("search.2", 1_400, 1_600, { parent: "think", attempt: 2 }),
    span("http", 1_450, 1_500, { parent: "search.2" }),
    span("lost", 1_950, 1_960, { parent: "unknown" }),
    span("egg", 1_970, 1_980, { parent: "hen" }),
    span("hen", 1_975, 1_980, { parent: "egg" }),
  ];
  const drawn = waterfall(trace([...spans].reverse()), 2_000).bars.map(({ span: { id }, depth }) => `${depth} ${id}`);
  assert.deepEqual(drawn.slice(0, 5), ["0 think", "1 search", "1 search.2", "2 http", "0 lost"]);
  assert.deepEqual(new Set(drawn.map((one) => one.slice(2))), new Set(spans.map(({ id }) => id)));
});

test("the critical path says what took longest, and counts no stage's time twice", () => {
  const spans = [
    span("think", 1_000, 1_600),
    span("search", 1_000, 1_500, { parent: "think" }),
    span("generate", 1_700, 2_000, { queued_ms: 100 }),
    span("other", 1_000, 2_000),
  ];
  const drawn = waterfall(trace(spans, { critical_path: ["think", "search", "generate"], open: false }), 2_000);
  const said = criticalShares(drawn).map(({ bar, share }) => [bar.span.id, Math.round(share * 100)]);
  assert.deepEqual(said, [
    ["search", 50],
    ["generate", 40],
    ["think", 10],
  ]);
  assert.deepEqual(drawn.bars.filter(({ critical }) => critical).length, 3);
});

test("the scale has round times, few enough to be read", () => {
  for (const total of [0.5, 1, 7, 99, 1_234, 60_000, 3_600_000]) {
    const drawn = ticks(total);
    assert.ok(drawn.length >= 1 && drawn.length <= 6, `${total}: ${drawn.length}`);
    assert.ok(drawn.every(({ at }) => at >= 0 && at <= 1));
  }
  assert.deepEqual(
    ticks(2_900).map(({ ms }) => ms),
    [0, 1_000, 2_000],
  );
});

test("two runs are compared by stage, tries added up, also where only one has the stage", () => {
  const one = trace([span("think", 1_000, 1_200), span("search", 1_200, 1_300, { queued_ms: 50 })]);
  const other = trace([
    span("think", 1_000, 1_500),
    span("think.2", 1_600, 1_700, { event_type: "think", attempt: 2 }),
    span("save", 1_700, 1_800),
  ]);
  const rows = compare(one, other).map(({ stage, one: left, other: right, differenceMs }) => [
    stage,
    left?.workMs ?? null,
    right?.workMs ?? null,
    right?.attempts ?? null,
    differenceMs,
  ]);
  assert.deepEqual(rows, [
    ["think", 200, 600, 2, 400],
    ["search", 100, null, null, null],
    ["save", null, 100, 1, null],
  ]);
});

test("a trace without spans is drawn as nothing, not as an error", () => {
  assert.deepEqual(waterfall(trace([], { start: null }), 5).bars, []);
});
