// What a reader is told about a message: the stages in order, and an ending only when there was one.
import assert from "node:assert/strict";
import test from "node:test";
import { emptyState, type FeedState, fold, type Message } from "../fold";
import { elapsedMs, openStages, runningMessages, stageTree } from "../select";
import type { FeedEvent, Frame } from "../types";
import { event } from "./fakes";

const state = (events: readonly FeedEvent[]): FeedState =>
  events.reduce((known, item) => fold(known, { type: "event", event: item }), emptyState);

function message(events: readonly FeedEvent[]): Message {
  const found = state(events).messages["m"];
  if (!found) throw new Error("nothing was folded");
  return found;
}

const R = { span_id: "r" };
const H = { span_id: "h", parent_span_id: "r" };
const T = { span_id: "t" };
const search = (collection: string) => ({ span_id: `s-${collection}`, parent_span_id: "t", event_data: { collection } });

const followUp = [
  event(1, "message_received", "started", R),
  event(2, "loading_history", "started", H),
  event(3, "loading_history", "completed", { ...H, processing_time_ms: 12 }),
  event(4, "message_received", "completed", { ...R, processing_time_ms: 300 }),
  event(5, "agent_thinking", "started", T),
  event(6, "tool_search_documents", "started", search("a")),
  event(7, "tool_search_documents", "started", search("b")),
  event(8, "tool_search_documents", "failed", { ...search("b"), reason: "timeout", processing_time_ms: 90 }),
  event(9, "tool_search_documents", "completed", { ...search("a"), processing_time_ms: 200 }),
  event(10, "agent_thinking", "completed", { ...T, processing_time_ms: 500 }),
  event(11, "response_generation", "started", { span_id: "g" }),
  event(12, "response_generation", "completed", { span_id: "g" }),
  event(13, "saving_message", "started", { span_id: "v" }),
  event(14, "saving_message", "completed", { span_id: "v", processing_time_ms: 4 }),
];

test("each stage appears once, in order, under its parent, with its duration", () => {
  const tree = stageTree(message(followUp));
  const outline = tree.map(({ stage, children }) => [stage.type, ...children.map((child) => child.stage.key)]);
  assert.deepEqual(outline, [
    ["message_received", "h"],
    ["agent_thinking", "s-a", "s-b"],
    ["response_generation"],
    ["saving_message"],
  ]);
  assert.equal(tree[0]?.stage.durationMs, 300);
  assert.equal(tree[2]?.stage.durationMs, 100, "without a told duration the timestamps give it");
});

test("a failed search does not end the message", () => {
  const half = message(followUp.slice(0, 9));
  assert.equal(half.state, "running");
  assert.deepEqual([half.stages[4]?.status, half.stages[4]?.reason], ["failed", "timeout"]);
  assert.deepEqual(openStages(half).map((stage) => stage.type), ["agent_thinking"]);
});

test("only saving_message completed means answered", () => {
  assert.equal(message(followUp.slice(0, 13)).state, "running");
  assert.equal(message(followUp).state, "answered");
  assert.equal(elapsedMs(message(followUp), 0), 1300);
  assert.deepEqual(runningMessages(state(followUp)), []);
});

test("only error failed means failed, with its reason, and nothing follows it", () => {
  const events = [
    event(1, "response_generation", "started", { span_id: "g" }),
    event(2, "response_generation", "failed", { span_id: "g", reason: "timeout" }),
  ];
  assert.equal(message(events).state, "running");
  const end = event(3, "error", "failed", { user_message: "❌ Too slow", reason: "timeout" });
  const failed = message([...events, end, event(4, "saving_message", "completed")]);
  assert.equal(failed.state, "failed");
  assert.deepEqual(failed.failure, { sentence: "❌ Too slow", reason: "timeout", stage: "response_generation" });
  assert.deepEqual(failed.stages.map((stage) => stage.type), ["response_generation"]);
});

test("a message that somebody stopped is cancelled, not failed, and keeps what had been said", () => {
  const frames: Frame[] = [
    { type: "event", event: event(1, "response_generation", "started", { span_id: "g" }) },
    { type: "chunk", message_id: "m", attempt: 1, offset: 0, text: "one two" },
    { type: "event", event: event(2, "response_generation", "failed", { span_id: "g", reason: "cancelled" }) },
  ];
  const before = frames.reduce(fold, emptyState);
  assert.equal(before.messages["m"]?.state, "running", "the end of a stage is not the end of the message");
  const end = event(3, "error", "failed", { user_message: "❌ The answer was stopped.", reason: "cancelled" });
  const late: Frame = { type: "event", event: event(4, "saving_message", "completed") };
  const stopped = [{ type: "event", event: end } as Frame, late].reduce(fold, before).messages["m"];
  assert.equal(stopped?.state, "cancelled");
  assert.equal(stopped?.failure?.sentence, "❌ The answer was stopped.");
  assert.equal(stopped?.failure?.reason, "cancelled");
  assert.equal(stopped?.answer.text, "one two");
  assert.equal(stopped?.endedAt, Date.parse(end.timestamp));
  assert.deepEqual(runningMessages(fold(before, { type: "event", event: end })), []);
});

test("a retry stays one stage and tells the new try and its reason", () => {
  const { stages } = message([
    event(1, "response_generation", "started", { span_id: "g", attempt: 1 }),
    event(2, "response_generation", "progress", { span_id: "g", attempt: 2, reason: "error", user_message: "Again" }),
    event(3, "response_generation", "completed", { span_id: "g", attempt: 2 }),
  ]);
  assert.equal(stages.length, 1);
  assert.equal(stages[0]?.attempt, 2);
  assert.deepEqual(stages[0]?.notes, [{ id: 2, attempt: 2, reason: "error", sentence: "Again" }]);
  assert.equal(stages[0]?.reason, null, "a stage that came good is not marked with the fault of its first try");
});

test("a second ending of the same stage changes nothing", () => {
  const once = state(followUp.slice(0, 4));
  const twice = fold(once, { type: "event", event: event(5, "message_received", "failed", R) });
  assert.equal(twice.messages["m"]?.stages[0]?.status, "completed");
});

test("a stage whose beginning is no longer kept is still shown, with the time it must have begun", () => {
  const late = message([event(50, "agent_thinking", "completed", { ...T, processing_time_ms: 1000 })]);
  const [stage] = late.stages;
  assert.equal(stage?.durationMs, 1000);
  assert.equal((stage?.endedAt ?? 0) - (stage?.startedAt ?? 0), 1000);
});

test("without spans, the same work done twice is two stages", () => {
  const { stages } = message([
    event(1, "lookup", "started"),
    event(2, "lookup", "completed"),
    event(3, "lookup", "started"),
    event(4, "lookup", "completed"),
  ]);
  assert.deepEqual(stages.map((stage) => stage.status), ["completed", "completed"]);
});

test("an unknown type without a text still shows something", () => {
  const own = message([event(1, "my_step", "started", { user_message: null })]);
  assert.equal(own.sentence, "my_step:started");
});

test("words and events of one message meet, whichever comes first", () => {
  const frames: Frame[] = [
    { type: "answer", message_id: "m", attempt: 1, text: "So far" },
    { type: "event", event: event(1, "message_received", "started", R) },
    { type: "chunk", message_id: "m", attempt: 1, offset: 6, text: ", so good" },
    { type: "answer_reset", message_id: "other", attempt: 2 },
  ];
  const known = frames.reduce(fold, emptyState);
  assert.deepEqual(known.order, ["m", "other"]);
  assert.equal(known.messages["m"]?.answer.text, "So far, so good");
  assert.equal(known.messages["m"]?.stages.length, 1);
});

test("the state is never changed in place", () => {
  const before = state(followUp.slice(0, 5));
  const copy = structuredClone(before);
  fold(before, { type: "event", event: followUp[5] as FeedEvent });
  assert.deepEqual(before, copy);
});

test("a reset forgets everything", () => {
  assert.deepEqual(fold(state(followUp), { type: "reset" }), emptyState);
});
