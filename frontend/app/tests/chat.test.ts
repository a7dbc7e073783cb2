// The newcomer's story on the page: nothing asked, answered or typed may get lost.
import assert from "node:assert/strict";
import test from "node:test";
import { FakeSocket, settle } from "../../client/tests/fakes";
import { turnState } from "../turns";
import { accepted, FakeSite, MapStore, openPage, type Page, record, saved, stage } from "./page";

const view = ({ chat }: Page) =>
  chat.getSnapshot().turns.map((turn) => [turn.question, turnState(turn, chat.message(turn))]);

async function told(...events: ReturnType<typeof stage>[]): Promise<void> {
  FakeSocket.last.accept();
  FakeSocket.last.events(...events);
  await settle();
}

test("a first visit opens a session, and the next one comes back to it", async () => {
  const first = await openPage();
  assert.equal(first.chat.getSnapshot().sessionId, "s1");
  first.chat.close();
  const second = await openPage(first.site, first.store);
  assert.equal(second.chat.getSnapshot().sessionId, "s1");
  assert.equal(first.site.sessions, 1);
  assert.equal(first.site.count("GET /chat/s1"), 0, "a history that cannot be there is not asked for");
  second.chat.close();
});

test("a question runs until its record is there, and then shows it", async () => {
  const page = await openPage();
  page.site.set("POST /chat/", accepted("m1"));
  assert.equal(await page.chat.ask("Why?", "en"), true);
  await told(stage(1, "m1", "message_received", "started"));
  assert.deepEqual(view(page), [["Why?", "running"]]);
  page.site.set("GET /chat/s1/messages/m1", record("m1"));
  await told(saved(2, "m1"));
  assert.deepEqual(view(page), [["Why?", "answered"]]);
  const outcome = page.chat.getSnapshot().turns[0]?.outcome;
  assert.deepEqual([outcome?.answer, outcome?.extractive, outcome?.sources[0]?.number], ["Because [1].", true, 1]);
  page.chat.close();
});

test("a question that is quicker than the page's session waits for it", async () => {
  const site = new FakeSite();
  site.set("POST /chat/", accepted("m1"));
  const page = await openPage(site, new MapStore(), false);
  assert.equal(page.chat.getSnapshot().sessionId, null);
  assert.equal(await page.chat.ask("Why?", "en"), true);
  await settle();
  assert.deepEqual(view(page), [["Why?", "running"]]);
  page.chat.close();
});

test("events that overtake the 202 belong to the question that waits for it", async () => {
  const page = await openPage();
  let accept: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    accept = resolve;
  });
  page.site.set("POST /chat/", () => gate.then(() => accepted("m1")));
  const asked = page.chat.ask("Why?", "en");
  await told(stage(1, "m1", "message_received", "started"));
  assert.deepEqual(view(page), [["Why?", "running"]]);
  accept();
  await asked;
  await settle();
  assert.deepEqual(view(page), [["Why?", "running"]]);
  const [turn] = page.chat.getSnapshot().turns;
  assert.equal(turn && page.chat.message(turn)?.stages.length, 1);
  page.chat.close();
});

test("a reload in mid-answer keeps the question, its stages and the text so far", async () => {
  const first = await openPage();
  first.site.set("POST /chat/", accepted("m1"));
  await first.chat.ask("Why?", "en");
  first.chat.close();
  first.site.set("GET /chat/s1", { body: { session_id: "s1", messages: [] } });
  first.site.set("GET /chat/s1/messages/m1", record("m1", { status: "running", answer: null }));
  const page = await openPage(first.site, first.store);
  assert.deepEqual(view(page), [["Why?", "running"]]);
  await told(stage(1, "m1", "response_generation", "started"));
  FakeSocket.last.say({ type: "answer", message_id: "m1", attempt: 1, text: "Because" });
  await settle();
  const [turn] = page.chat.getSnapshot().turns;
  assert.equal(turn && page.chat.message(turn)?.answer.text, "Because");
  page.chat.close();
});

test("a reload after the end shows what the history holds, once", async () => {
  const first = await openPage();
  first.site.set("POST /chat/", accepted("m1"));
  await first.chat.ask("Why?", "en");
  first.chat.close();
  const line = { id: 1, message_id: "m1", timestamp: "2026-11-01T10:00:00Z", metadata: {} };
  const messages = [
    { ...line, message_type: "user", content: "Why?" },
    { ...line, id: 2, message_type: "assistant", content: "Because.", metadata: { status: "completed" } },
  ];
  first.site.set("GET /chat/s1", { body: { session_id: "s1", messages } });
  const page = await openPage(first.site, first.store);
  await told(stage(1, "m1", "message_received", "started"), saved(2, "m1"));
  assert.deepEqual(view(page), [["Why?", "answered"]]);
  assert.equal(page.site.count("GET /chat/s1/messages/m1"), 0);
  page.chat.close();
});

test("a question that failed before the page was opened shows its reason, and what had been said", async () => {
  const store = new MapStore();
  store.setItem("spanfeed.session", "s1");
  store.setItem("spanfeed.spoken", "s1");
  const site = new FakeSite();
  const metadata = { status: "failed", reason: "timeout" };
  const line = { message_id: "m1", timestamp: "2026-11-01T10:00:00Z", metadata };
  const messages = [
    { ...line, id: 1, message_type: "user", content: "Why?" },
    { ...line, id: 2, message_type: "assistant", content: "Beca", metadata: { ...metadata, partial: true } },
  ];
  site.set("GET /chat/s1", { body: { session_id: "s1", messages } });
  const page = await openPage(site, store);
  assert.deepEqual(view(page), [["Why?", "failed"]]);
  const outcome = page.chat.getSnapshot().turns[0]?.outcome;
  assert.deepEqual([outcome?.reason, outcome?.answer], ["timeout", "Beca"]);
  page.chat.close();
});

test("a refused question says why, and is not in the conversation", async () => {
  const page = await openPage();
  page.site.set("POST /chat/", { status: 429, body: { detail: "Too many" }, headers: { "Retry-After": "3" } });
  assert.equal(await page.chat.ask("Why?", "en"), false);
  await settle();
  assert.deepEqual(page.chat.getSnapshot().problem, { status: 429, detail: "Too many", retryAfterMs: 3000 });
  assert.deepEqual(view(page), []);
  page.chat.close();
});

test("a failed message keeps its reason; a lost connection does not make one", async () => {
  const page = await openPage();
  page.site.set("POST /chat/", accepted("m1"));
  await page.chat.ask("Why?", "en");
  await told(stage(1, "m1", "response_generation", "started"));
  FakeSocket.last.drop();
  await settle();
  assert.deepEqual(view(page), [["Why?", "running"]]);
  await page.clock.pass(500);
  page.site.set("GET /chat/s1/messages/m1", record("m1", { status: "failed", error_message: "Too slow", answer: "Be" }));
  await told(stage(2, "m1", "error", "failed"));
  assert.deepEqual(view(page), [["Why?", "failed"]]);
  const outcome = page.chat.getSnapshot().turns[0]?.outcome;
  assert.deepEqual([outcome?.errorMessage, outcome?.answer], ["Too slow", "Be"]);
  page.chat.close();
});

test("a record that is a moment late is asked for again", async () => {
  const page = await openPage();
  page.site.set("POST /chat/", accepted("m1"));
  await page.chat.ask("Why?", "en");
  page.site.set("GET /chat/s1/messages/m1", record("m1", { status: "running" }));
  await told(saved(1, "m1"));
  page.site.set("GET /chat/s1/messages/m1", record("m1"));
  await page.clock.pass(300);
  assert.equal(page.chat.getSnapshot().turns[0]?.outcome?.answer, "Because [1].");
  page.chat.close();
});

test("an ending that never came over the feed is found in the record", async () => {
  const page = await openPage();
  page.site.set("POST /chat/", accepted("m1"));
  await page.chat.ask("Why?", "en");
  await told(stage(1, "m1", "response_generation", "started"));
  page.site.set("GET /chat/s1/messages/m1", record("m1"));
  for (let second = 0; second < 21; second += 1) {
    FakeSocket.last.say({ type: "keepalive" });
    await page.clock.pass(1000);
  }
  assert.deepEqual(view(page), [["Why?", "answered"]]);
  page.chat.close();
});

test("a session the server does not know any more is replaced, and the question still asked", async () => {
  const store = new MapStore();
  store.setItem("spanfeed.session", "old");
  store.setItem("spanfeed.spoken", "old");
  const site = new FakeSite();
  site.set("GET /chat/old", { status: 401, body: { detail: "Who?" } });
  const page = await openPage(site, store);
  assert.equal(page.chat.getSnapshot().sessionId, "s1");
  let tries = 0;
  site.set("POST /chat/", () => {
    tries += 1;
    return tries === 1 ? { status: 401, body: { detail: "Expired" } } : accepted("m1");
  });
  assert.equal(await page.chat.ask("Why?", "en"), true);
  await settle();
  assert.equal(page.chat.getSnapshot().sessionId, "s2");
  assert.deepEqual(view(page), [["Why?", "running"]]);
  page.chat.close();
});

test("a socket whose token has expired does not end a conversation that HTTP still lets in", async () => {
  const page = await openPage();
  FakeSocket.last.drop(4401);
  await settle();
  assert.equal(page.chat.getSnapshot().sessionId, "s1");
  page.site.set("GET /chat/events/s1", { status: 401, body: { detail: "Who?" } });
  await page.clock.pass(30_000);
  FakeSocket.last.drop(4401);
  await settle();
  assert.equal(page.chat.getSnapshot().sessionId, "s2");
  page.chat.close();
});

test("a session that is not there any more is replaced, also when only the feed finds out", async () => {
  const page = await openPage();
  page.site.set("GET /chat/events/s1", { status: 404, body: { detail: "Chat session not found" } });
  for (let turn = 0; turn < 3; turn += 1) {
    FakeSocket.last.drop();
    await page.clock.pass(turn < 2 ? 1000 : 0);
  }
  assert.equal(page.chat.getSnapshot().sessionId, "s2");
  page.chat.close();
});

test("a server that is not there yet is tried until it is", async () => {
  const site = new FakeSite();
  site.offline = true;
  const page = await openPage(site);
  await page.clock.pass(5000);
  assert.ok(page.chat.getSnapshot().lostAt);
  assert.equal(page.chat.getSnapshot().problem, null);
  site.offline = false;
  await page.clock.pass(30_000);
  assert.equal(page.chat.getSnapshot().sessionId, "s1");
  page.chat.close();
});

test("a question asked in another tab appears here with its text", async () => {
  const page = await openPage();
  const line = { id: 1, message_id: "m9", timestamp: "2026-11-01T10:00:00Z", metadata: {} };
  const messages = [{ ...line, message_type: "user", content: "From there?" }];
  page.site.set("GET /chat/s1", { body: { session_id: "s1", messages } });
  await told(stage(1, "m9", "message_received", "started"));
  assert.deepEqual(view(page), [["From there?", "running"]]);
  page.chat.close();
});

test("a new conversation starts empty, in a session of its own", async () => {
  const page = await openPage();
  page.site.set("POST /chat/", accepted("m1"));
  await page.chat.ask("Why?", "en");
  const before = FakeSocket.last;
  page.chat.startAnew();
  await settle();
  assert.deepEqual(view(page), []);
  assert.equal(page.chat.getSnapshot().sessionId, "s2");
  assert.equal(before.closed, true);
  page.chat.close();
});

test("when no new session is to be had, the conversation stays and the reason is shown", async () => {
  const page = await openPage();
  page.site.set("POST /page/session", { status: 503, body: { detail: "Full" } });
  page.chat.startAnew();
  await settle();
  assert.equal(page.chat.getSnapshot().sessionId, "s1");
  assert.equal(page.chat.getSnapshot().problem?.detail, "Full");
  page.chat.close();
});
