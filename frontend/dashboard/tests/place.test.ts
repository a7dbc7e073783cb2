// The address of the dashboard and what it means.
import assert from "node:assert/strict";
import test from "node:test";
import { asQuery, filtered, moved, placeOf, searchOf, start } from "../place";

test("an address says the whole place, and is read as the same: a link shows others what one sees", () => {
  const place = {
    ...start,
    view: "events" as const,
    range: "7d" as const,
    live: false,
    filter: { event_type: "tool_*", event_status: "failed", session_id: "a b&c", user_id: "ü", text: "100 %" },
    event: 216_513_212_345_678,
  };
  assert.deepEqual(placeOf(searchOf(place)), place);
  const trace = { ...start, view: "trace" as const, run: "m 1", other: "m/2" };
  assert.deepEqual(placeOf(searchOf(trace)), trace);
  assert.equal(searchOf(start), "");
  assert.deepEqual(placeOf(""), start);
});

test("what an address says wrongly does no harm: it is left out", () => {
  const wrong = placeOf("?view=nope&range=toString&event=-3&text=%20%20&run=&live=yes&other=1");
  assert.deepEqual(wrong, start);
  assert.equal(placeOf(`?text=${"x".repeat(5_000)}`).filter.text?.length, 256);
  assert.equal(placeOf("?event=1e99").event, null);
});

test("an emptied word leaves the filter, and another view leaves behind what was looked at", () => {
  const one = filtered({}, "event_type", " agent_thinking ");
  assert.deepEqual(one, { event_type: "agent_thinking" });
  assert.deepEqual(filtered(one, "event_type", " "), {});
  const trace = moved({ ...start, view: "trace", run: "m", other: "n", event: 3 }, { view: "sessions" });
  assert.deepEqual([trace.run, trace.other, trace.event], [null, null, null]);
  const drawer = moved({ ...start, view: "events", filter: one }, { event: 5 });
  assert.deepEqual([drawer.event, drawer.filter], [5, one]);
});

test("a request carries the filter's words, and nothing that is not said", () => {
  assert.equal(asQuery({ event_type: "a*" }, { range: "1h", before: null, limit: 5, q: "" }), "?event_type=a*&range=1h&limit=5");
  assert.equal(asQuery({}), "");
});
