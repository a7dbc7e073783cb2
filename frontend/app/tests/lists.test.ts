// Conversations that one can go back to, drafts and opinions that survive a reload, and nothing taken on trust.
import assert from "node:assert/strict";
import test from "node:test";
import { FakeSocket, settle } from "../../client/tests/fakes";
import { Memory } from "../storage";
import { accepted, FakeSite, MapStore, openPage } from "./page";

const turn = (type: string, id: string, content: string, second: number, metadata: object = {}) => ({
  id: second,
  message_id: id,
  message_type: type,
  content,
  timestamp: `2026-11-01T10:00:0${second}.000000Z`,
  metadata,
});

const history = (session: string) => ({
  body: {
    session_id: session,
    messages: [turn("user", "m1", "What is a pangolin?", 1), turn("assistant", "m1", "An animal.", 4, { status: "completed" })],
  },
});

test("a conversation that was left can be opened again, under its first question", async () => {
  const site = new FakeSite();
  site.set("POST /chat/", accepted("m1"));
  site.set("GET /chat/s1", history("s1"));
  const { chat } = await openPage(site);
  await chat.ask("What is a pangolin?", "en");
  await chat.ask("And a zebra?", "en");
  chat.startAnew();
  await settle();
  assert.deepEqual([chat.getSnapshot().sessionId, chat.getSnapshot().turns.length], ["s2", 0]);
  assert.deepEqual(chat.held().map(({ sessionId, title }) => [sessionId, title]), [["s1", "What is a pangolin?"]]);
  chat.open("s1");
  await settle();
  const { sessionId, turns } = chat.getSnapshot();
  assert.deepEqual([sessionId, turns[0]?.question, turns[0]?.outcome?.answer], ["s1", "What is a pangolin?", "An animal."]);
  assert.equal(turns[0]?.outcome?.tookMs, 3_000, "how long it took is known without the feed");
  assert.ok(FakeSocket.all.at(-1)?.url.includes("/s1?"));
  chat.close();
});

test("a conversation that is not there any more leaves the list, and a new one takes its place", async () => {
  const store = new MapStore();
  new Memory(store).lists.hold({ sessionId: "gone", title: "Old", askedAt: 1 });
  const { chat } = await openPage(new FakeSite(), store);
  chat.open("gone");
  await settle();
  assert.deepEqual([chat.getSnapshot().sessionId, chat.held()], ["s2", []]);
  chat.close();
});

test("a conversation is deleted on the server before it leaves the list", async () => {
  const site = new FakeSite();
  site.set("POST /chat/", accepted("m1"));
  const { chat, store } = await openPage(site);
  await chat.ask("Why?", "en");
  site.set("DELETE /chat/s1", { status: 503, body: { detail: "Not now." } });
  assert.equal((await chat.remove("s1"))?.status, 503);
  assert.equal(chat.held().length, 1);
  site.set("DELETE /chat/s1", { body: { message: "deleted" } });
  assert.equal(await chat.remove("s1"), null);
  await settle();
  assert.deepEqual([chat.held(), chat.getSnapshot().sessionId], [[], "s2"]);
  assert.equal(new Memory(store).session, "s2");
  chat.close();
});

test("an opinion is sent, and remembered only when it has arrived", async () => {
  const site = new FakeSite();
  const { chat } = await openPage(site);
  assert.equal((await chat.rate("m1", "up"))?.status, 404);
  assert.equal(chat.opinion("m1"), null);
  site.set("POST /chat/s1/messages/m1/feedback", { status: 201, body: { rating: "down" } });
  assert.equal(await chat.rate("m1", "down"), null);
  assert.equal(chat.opinion("m1"), "down");
  chat.close();
});

test("what the browser remembers is bounded, and what somebody else wrote there does no harm", () => {
  const [store, tab] = [new MapStore(), new MapStore()];
  const memory = new Memory(store, tab);
  for (let at = 0; at < 60; at += 1) memory.lists.hold({ sessionId: `s${at}`, title: "x".repeat(500), askedAt: at });
  assert.deepEqual([memory.lists.held().length, memory.lists.held()[0]?.sessionId], [50, "s59"]);
  assert.equal(memory.lists.held()[0]?.title.length, 120);
  store.setItem("spanfeed.conversations", '[{"sessionId": 5}, null, {"sessionId": "s", "title": "T", "askedAt": 1}]');
  assert.deepEqual(memory.lists.held(), [{ sessionId: "s", title: "T", askedAt: 1 }]);
  store.setItem("spanfeed.conversations", "{");
  assert.deepEqual(memory.lists.held(), []);
  memory.draft = "half a question";
  assert.equal(new Memory(store, tab).draft, "half a question");
  assert.equal(new Memory(store, new MapStore()).draft, "", "another tab has its own");
});
