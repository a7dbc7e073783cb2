// The time line that other pages draw: every stage, child, wait and retry is there, open ones show their true age.
import assert from "node:assert/strict";
import test from "node:test";
import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { emptyState, type FeedEvent, foldEvent, type Message } from "../../client";
import { event } from "../../client/tests/fakes";
import { StageTimeline, type StageTimelineProps } from "../timeline";

const START = Date.parse("2026-11-01T10:00:00Z");
const at = (ms: number) => ({ timestamp: new Date(START + ms).toISOString() });
const heard = (...events: FeedEvent[]): Message => events.reduce(foldEvent, emptyState).messages["m"] as Message;

const received = event(1, "message_received", "started", { span_id: "r", ...at(0) });
const thinks = event(2, "agent_thinking", "started", { span_id: "t", queue_time_ms: 400, ...at(1_000) });
const searches = event(3, "tool_search_documents", "started", { span_id: "s", parent_span_id: "t", ...at(1_500) });
const again = event(4, "tool_search_documents", "progress", { span_id: "s", attempt: 2, reason: "timeout", ...at(1_800) });
const found = event(5, "tool_search_documents", "completed", { span_id: "s", ...at(2_000) });
const running = heard(received, thinks, searches, again, found);

function drawn(props: Partial<StageTimelineProps>): string {
  return renderToStaticMarkup(createElement(StageTimeline, { message: running, now: START + 4_000, ...props }));
}

test("children stand within their parent, with waits, retries and true ages", () => {
  const html = drawn({});
  assert.match(html, /data-type="agent_thinking" data-status="started">.*<ol>.*data-type="tool_search_documents"/);
  assert.match(html, /waited 400 ms/);
  assert.match(html, /attempt 2: timeout/);
  assert.match(html, />3\.0 s</, "what began a second after the question is three seconds old after four");
  assert.match(html, /--spanfeed-queued:0\.15;--spanfeed-from:0\.25;--spanfeed-to:1/);
  assert.match(html, /--spanfeed-from:0\.375;--spanfeed-to:0\.5/);
});

test("what a page wants to be different is different, and nothing is styled but by numbers", () => {
  const html = drawn({
    classNames: { root: "mine", bar: "thin" },
    texts: { duration: (ms) => `${ms} milli` },
    renderSentence: ({ type }) => `<${type}>`,
  });
  assert.match(html, /class="mine"/);
  assert.match(html, /class="thin"/);
  assert.match(html, /3000 milli/);
  assert.match(html, /&lt;agent_thinking&gt;/, "as text, never as elements");
  assert.ok(!/style="[^"]/.test(html.replaceAll(/--spanfeed-[a-z]+:[\d.]+;?/g, "")));
});

test("an ended message draws the same whatever time it is, and none draws nothing", () => {
  const over = heard(received, event(9, "error", "failed", { user_message: "Over", ...at(2_000) }));
  assert.equal(drawn({ message: over, now: START }), drawn({ message: over, now: START + 99_000 }));
  assert.equal(drawn({ message: null }), "");
});
