// The rows of the event table: which are drawn, which are shown, and in which order.
import assert from "node:assert/strict";
import test from "node:test";
import type { SSEEvent } from "../../react/event";
import { merged, MOST_ROWS, passes, rowOf } from "../follow";
import { rowsInSight } from "../rows";

const heard = (id: string, more: Partial<SSEEvent["metadata"]> = {}): SSEEvent => ({
  id,
  type: "tool_search_documents",
  data: { count: 3 },
  timestamp: "2026-11-24T12:00:00.000000Z",
  metadata: { category: "workflow", event_status: "failed", session_id: "s", user_message: "Naïve TEXT", ...more },
  user_id: "u",
});
const row = (id: number) => {
  const made = rowOf(heard(String(id)));
  assert.ok(made);
  return made as NonNullable<typeof made>;
};

test("only rows in sight are drawn, and the rest keeps its height: a long table stays quick", () => {
  const { first, end, above, below } = rowsInSight(10_000, 30, 3_000, 600);
  assert.ok(first <= 100 && end >= 120 && end - first < 60);
  assert.equal(above + (end - first) * 30 + below, 10_000 * 30);
  assert.deepEqual(rowsInSight(0, 30, 500, 600), { first: 0, end: 0, above: 0, below: 0 });
  // A table that has become shorter than one had scrolled.
  assert.deepEqual(rowsInSight(3, 30, 9_000, 600), { first: 0, end: 3, above: 0, below: 0 });
  assert.equal(rowsInSight(100, 30, -50, 60).first, 0);
});

test("an event that is both stored and live is one row, the newest first, and there is an end to them", () => {
  const rows = merged([row(5), row(3)], [row(4), row(5), row(9)]);
  assert.deepEqual(
    rows.map(({ id }) => id),
    [9, 5, 4, 3],
  );
  const many = Array.from({ length: MOST_ROWS + 50 }, (_, at) => row(at + 1));
  assert.equal(merged([], many).length, MOST_ROWS);
  assert.equal(merged([], many)[0]?.id, MOST_ROWS + 50);
  assert.equal(merged(rows, []), rows);
});

test("a live event is shown only where the filter would show it once stored", () => {
  const one = row(7);
  assert.ok(passes(one, {}));
  assert.ok(passes(one, { event_type: "tool_*", event_status: "failed", session_id: "s", user_id: "u", text: "naïve text" }));
  for (const filter of [{ event_type: "tool" }, { session_id: "t" }, { priority: "high" }, { text: "none" }, { event_type: "a.*" }]) {
    assert.ok(!passes(one, filter), JSON.stringify(filter));
  }
  // What means something to a pattern means itself.
  assert.ok(!passes(one, { event_type: ".*(" }));
});

test("what the stream says of itself is no row", () => {
  assert.equal(rowOf(heard("")), null);
  assert.equal(rowOf(heard("x")), null);
  assert.equal(rowOf({ ...heard("7"), type: "admin.connection.established", metadata: {} }), null);
});
