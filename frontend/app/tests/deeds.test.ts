// Stop and try again: the page may only show what the server has told, and must never ask twice for one press.
import assert from "node:assert/strict";
import test from "node:test";
import { FakeSocket, settle } from "../../client/tests/fakes";
import type { FeedEvent } from "../../client";
import { answerOf, type Turn, turnState } from "../turns";
import { accepted, FakeSite, MapStore, openPage, type Page, record, saved, stage, stopped } from "./page";

const CANCEL = "POST /chat/s1/messages/m1/cancel";
const RETRY = "POST /chat/s1/messages/m1/retry";
const cancelled = { body: { session_id: "s1", message_id: "m1", status: "cancelled", cancelled: true } };
const stoppedRecord = record("m1", {
  status: "cancelled",
  reason: "cancelled",
  error_message: "The answer was stopped.",
  answer: "Beca",
  partial: true,
});

const turns = ({ chat }: Page): readonly Turn[] => chat.getSnapshot().turns;
const states = (page: Page) => turns(page).map((turn) => turnState(turn, page.chat.message(turn)));
const first = (page: Page): Turn => turns(page)[0] as Turn;

async function hear(...events: FeedEvent[]): Promise<void> {
  FakeSocket.last.events(...events);
  await settle();
}

/** A page on which an answer is being given: "Beca" has been said. */
async function answering(): Promise<Page> {
  const page = await openPage();
  page.site.set("POST /chat/", accepted("m1"));
  await page.chat.ask("Why?", "en");
  FakeSocket.last.accept();
  await hear(stage(1, "m1", "response_generation", "started"));
  FakeSocket.last.say({ type: "chunk", message_id: "m1", attempt: 1, offset: 0, text: "Beca" });
  await settle();
  return page;
}

/** A page with one question whose answer was stopped. */
async function stoppedPage(): Promise<Page> {
  const page = await answering();
  page.site.set("GET /chat/s1/messages/m1", stoppedRecord);
  await hear(stopped(2, "m1"));
  return page;
}

test("a stopped answer ends with the feed's event, not with the reply, and keeps what had been said", async () => {
  const page = await answering();
  page.site.set(CANCEL, cancelled);
  page.chat.stop("m1");
  page.chat.stop("m1");
  await settle();
  assert.deepEqual([states(page), page.site.count(CANCEL)], [["running"], 1]);
  assert.deepEqual(first(page).wish, { deed: "stop", problem: null });
  await hear(stopped(2, "m1"));
  assert.deepEqual(states(page), ["cancelled"], "its record is not there yet, and need not be");
  assert.equal(answerOf(first(page), page.chat.message(first(page))), "Beca");
  page.site.set("GET /chat/s1/messages/m1", stoppedRecord);
  await page.clock.pass(1_000);
  assert.deepEqual([first(page).outcome?.partial, first(page).outcome?.errorMessage], [true, "The answer was stopped."]);
  assert.deepEqual(states(page), ["cancelled"]);
  page.chat.close();
});

test("a stop that could not be done says so, and can be asked for again", async () => {
  const page = await answering();
  page.site.set(CANCEL, { status: 503, body: { detail: "Redis does not answer" }, headers: { "Retry-After": "2" } });
  page.chat.stop("m1");
  await settle();
  const problem = { status: 503, detail: "Redis does not answer", retryAfterMs: 2_000 };
  assert.deepEqual(first(page).wish, { deed: "stop", problem });
  page.site.set(CANCEL, { body: { status: "accepted", cancelled: false } });
  page.chat.stop("m1");
  await settle();
  assert.equal(first(page).wish?.problem?.status, 409, "the server could not stop it yet");
  page.site.set(CANCEL, cancelled);
  page.chat.stop("m1");
  await settle();
  assert.deepEqual([states(page), first(page).wish?.problem], [["running"], null]);
  page.chat.close();
});

test("a stop that came too late brings the ending this page had missed", async () => {
  const page = await answering();
  page.site.set(CANCEL, { body: { status: "completed", cancelled: false } });
  page.site.set("GET /chat/s1/messages/m1", record("m1"));
  page.site.set("GET /chat/events/s1", { body: { events: [saved(2, "m1")], has_more: false } });
  page.chat.stop("m1");
  await settle();
  assert.deepEqual(states(page), ["answered"]);
  page.chat.close();
});

test("without a live connection a stop looks for its event at once", async () => {
  const page = await answering();
  for (let turn = 0; turn < 3; turn += 1) {
    FakeSocket.last.drop();
    await page.clock.pass(1_000);
  }
  assert.equal(page.chat.getSnapshot().feed?.status, "polling");
  page.site.set(CANCEL, cancelled);
  page.site.set("GET /chat/events/s1", { body: { events: [stopped(2, "m1")], has_more: false } });
  page.chat.stop("m1");
  await page.clock.pass(1);
  assert.deepEqual(states(page), ["cancelled"]);
  page.chat.close();
});

test("an ending the server knows before it has stored the words is looked at again", async () => {
  const page = await answering();
  page.site.set("GET /chat/s1/messages/m1", record("m1", { status: "cancelled", answer: null, reason: null }));
  await hear(stopped(2, "m1"));
  assert.deepEqual([states(page), first(page).outcome], [["cancelled"], null]);
  page.site.set("GET /chat/s1/messages/m1", stoppedRecord);
  await page.clock.pass(300);
  assert.equal(first(page).outcome?.answer, "Beca");
  page.chat.close();
});

test("an ending whose reason is never told is an ending all the same", async () => {
  const page = await answering();
  page.site.set("GET /chat/s1/messages/m1", record("m1", { status: "failed", answer: null }));
  await hear(stage(2, "m1", "error", "failed"));
  await page.clock.pass(5_000);
  assert.equal(first(page).outcome?.state, "failed");
  page.chat.close();
});

test("trying again shows the same question as a new turn that runs", async () => {
  const page = await stoppedPage();
  let accept: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    accept = resolve;
  });
  page.site.set(RETRY, () => gate.then(() => accepted("m2")));
  page.chat.tryAgain("m1");
  page.chat.tryAgain("m1");
  await hear(stage(3, "m2", "message_received", "started"));
  assert.deepEqual(states(page), ["cancelled"], "events that overtake the 202 are not a stranger's");
  accept();
  await settle();
  assert.deepEqual(states(page), ["cancelled", "running"]);
  const again = turns(page)[1];
  assert.deepEqual([again?.question, again?.messageId, again?.retryOf], ["Why?", "m2", "m1"]);
  assert.deepEqual([page.site.count(RETRY), first(page).wish], [1, null]);
  page.site.set("GET /chat/s1/messages/m2", record("m2"));
  await hear(saved(4, "m2"));
  assert.deepEqual(states(page), ["cancelled", "answered"]);
  page.chat.close();
});

test("a second try that is refused is told on the card, and nothing else changes", async () => {
  const page = await stoppedPage();
  for (const status of [409, 429, 503]) {
    page.site.set(RETRY, { status, body: { detail: `No: ${status}` }, headers: { "Retry-After": "3" } });
    page.chat.tryAgain("m1");
    await settle();
    const problem = { status, detail: `No: ${status}`, retryAfterMs: 3_000 };
    assert.deepEqual(first(page).wish, { deed: "retry", problem });
    assert.deepEqual([states(page), page.chat.getSnapshot().problem], [["cancelled"], null]);
  }
  page.chat.close();
});

test("a second try whose reply is lost still appears, by its events, as the one asked for", async () => {
  const page = await stoppedPage();
  page.site.set(RETRY, () => Promise.reject(new TypeError("cut")));
  const line = { timestamp: "2026-11-01T10:00:00Z", message_type: "user", content: "Why?" };
  const messages = [
    { ...line, id: 1, message_id: "m1", metadata: { status: "cancelled", reason: "cancelled" } },
    { ...line, id: 2, message_id: "m2", metadata: { status: "accepted", reason: null, retry_of: "m1" } },
  ];
  page.site.set("GET /chat/s1", { body: { session_id: "s1", messages } });
  page.chat.tryAgain("m1");
  await settle();
  assert.equal(first(page).wish?.problem?.status, 0);
  await hear(stage(3, "m2", "message_received", "started"));
  assert.deepEqual(turns(page).map(({ question, retryOf }) => [question, retryOf]), [["Why?", null], ["Why?", "m1"]]);
  page.chat.close();
});

test("after a reload a stopped answer is marked, and its second try known as one", async () => {
  const store = new MapStore();
  store.setItem("spanfeed.session", "s1");
  store.setItem("spanfeed.spoken", "s1");
  const site = new FakeSite();
  const stop = { status: "cancelled", reason: "cancelled" };
  const line = { timestamp: "2026-11-01T10:00:00Z", message_id: "m1" };
  const messages = [
    { ...line, id: 1, message_type: "user", content: "Why?", metadata: stop },
    { ...line, id: 2, message_type: "assistant", content: "Beca", metadata: { ...stop, partial: true } },
    { ...line, id: 3, message_id: "m2", message_type: "user", content: "Why?", metadata: { retry_of: "m1" } },
    { ...line, id: 4, message_id: "m2", message_type: "assistant", content: "Because.", metadata: { status: "completed" } },
  ];
  site.set("GET /chat/s1", { body: { session_id: "s1", messages } });
  const page = await openPage(site, store);
  assert.deepEqual(states(page), ["cancelled", "answered"]);
  assert.deepEqual([first(page).outcome?.partial, first(page).outcome?.answer], [true, "Beca"]);
  assert.deepEqual(turns(page).map(({ retryOf }) => retryOf), [null, "m1"]);
  page.chat.close();
});

test("a reload in the middle of a second try remembers of what", async () => {
  const page = await stoppedPage();
  page.site.set(RETRY, accepted("m2"));
  page.chat.tryAgain("m1");
  await settle();
  page.chat.close();
  page.site.set("GET /chat/s1", { body: { session_id: "s1", messages: [] } });
  page.site.set("GET /chat/s1/messages/m2", record("m2", { status: "running", answer: null }));
  const next = await openPage(page.site, page.store);
  assert.equal(turns(next).find(({ messageId }) => messageId === "m2")?.retryOf, "m1");
  next.chat.close();
});
