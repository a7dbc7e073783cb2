// What charts draw and say.
import assert from "node:assert/strict";
import test from "node:test";
import { figures } from "../numbers";
import { heat, largest, peak, stacked } from "../series";
import type { Overview } from "../shapes";
import { texts } from "../texts";

test("areas lie on each other, the largest lowest, and the small ones are one together", () => {
  const lines = largest({ a: [1, 0], b: [5, 5], c: [0, 1], d: [2, 2] }, 3, "rest");
  assert.deepEqual(lines, [
    { name: "b", values: [5, 5] },
    { name: "d", values: [2, 2] },
    { name: "rest", values: [1, 1] },
  ]);
  assert.deepEqual(stacked(lines), [
    [5, 5],
    [7, 7],
    [8, 8],
  ]);
  assert.deepEqual(largest({}, 3, "rest"), []);
});

test("the sentence names the highest point, and none where there is nothing", () => {
  const lines = [
    { name: "p50", values: [1, null, 3] },
    { name: "p95", values: [4, null, 2] },
  ];
  assert.deepEqual(peak([10, 20, 30], lines, false), { value: 4, timeMs: 10 });
  assert.deepEqual(peak([10, 20, 30], lines, true), { value: 5, timeMs: 10 });
  assert.equal(peak([10], [{ name: "a", values: [null] }], false), null);
});

test("the heat map knows its busiest class", () => {
  const of = { times: [1, 2], heat_map: { bounds_ms: [1, 10], counts: [[0, 0, 1], [0, 2, 4], [1, 2, 3]] } } as unknown as Overview;
  const { rows, most, busiest, byClass } = heat(of);
  assert.deepEqual([rows, most, busiest, byClass], [3, 4, 2, [1, 0, 7]]);
  const bounds_ms = [1, 2, 3, 4, 5, 6, 7];
  const narrow = heat({ ...of, heat_map: { bounds_ms, counts: [[0, 4, 9]] } });
  // Classes that nothing falls into take no room.
  assert.deepEqual([narrow.first, narrow.rows, narrow.cells], [3, 3, [[0, 1, 9]]]);
  assert.equal(heat({ ...of, heat_map: { bounds_ms: [1], counts: [] } }).busiest, null);
});

test("figures are said in the reader's language, and what is not known is not said as 0", () => {
  const [english, french] = [figures("en"), figures("fr")];
  assert.equal(english.count(1_234.5), "1,235");
  assert.equal(english.count(null), "–");
  assert.equal(english.bytes(48_300_000), "48.3 MB");
  assert.equal(english.bytes(0), "0 B");
  assert.equal(english.duration(0.42), "0.4 ms");
  assert.equal(english.share(0.0123), "1.2%");
  assert.match(french.duration(2_100), /^2,1 s$/);
  assert.equal(english.moment("nonsense"), "–");
});

test("each language says everything that English does", () => {
  const names = (part: unknown): unknown =>
    typeof part === "object" && part !== null
      ? Object.fromEntries(Object.entries(part).map(([name, inner]) => [name, names(inner)]))
      : typeof part;
  assert.deepEqual(names(texts.fr), names(texts.en));
  assert.deepEqual(names(texts.sw), names(texts.en));
});
