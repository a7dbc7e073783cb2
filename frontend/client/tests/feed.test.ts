// A feed that breaks must lose nothing, repeat nothing, and never call a lost line a failed message.
import assert from "node:assert/strict";
import test from "node:test";
import { bench, range } from "./bench";
import { event, FakeSocket, progress, settle } from "./fakes";

test("it asks for everything at first, and for what follows the last id after a loss", async () => {
  const { feed, clock, ids } = await bench({ token: "t 1" });
  assert.equal(FakeSocket.last.url.split("?")[0], "ws://host:5000/chat/ws/events/s");
  assert.deepEqual(FakeSocket.last.query, { after: "0", token: "t 1" });
  FakeSocket.last.accept("e1");
  FakeSocket.last.events(...progress(1, 3));
  FakeSocket.last.drop();
  assert.equal(feed.getSnapshot().status, "reconnecting");
  await clock.pass(500);
  assert.deepEqual(FakeSocket.last.query, { after: "3", epoch: "e1", token: "t 1" });
  FakeSocket.last.accept("e1");
  FakeSocket.last.events(...progress(2, 4));
  assert.deepEqual(ids, range(1, 5), "what was replayed twice is heard once");
  assert.equal(feed.getSnapshot().status, "live");
  feed.close();
});

test("a lost connection is never a failed message", async () => {
  const { feed, clock, server } = await bench();
  FakeSocket.last.accept();
  FakeSocket.last.events(event(1, "message_received", "started"));
  server.failure = { status: 0 };
  FakeSocket.last.drop();
  await clock.pass(600_000);
  assert.equal(feed.getSnapshot().state.messages["m"]?.state, "running");
  feed.close();
});

test("a hole in seq is filled over HTTP before what follows is shown", async () => {
  const { feed, clock, server, ids } = await bench();
  FakeSocket.last.accept();
  server.log = progress(1, 6);
  FakeSocket.last.events(...progress(1, 2), ...progress(5, 1));
  FakeSocket.last.events(...progress(6, 1));
  assert.deepEqual(ids, [1, 2]);
  await clock.pass(0);
  assert.deepEqual(ids, range(1, 6));
  assert.equal(feed.getSnapshot().missed, 0);
  assert.equal(server.asked[0]?.searchParams.get("after"), "2");
  feed.close();
});

test("a hole nobody can fill is counted, and does not stop the feed", async () => {
  const { feed, clock, server, ids } = await bench();
  FakeSocket.last.accept();
  server.log = progress(1, 2);
  FakeSocket.last.events(...progress(1, 2), ...progress(5, 1));
  await clock.pass(1000);
  assert.deepEqual(ids, [1, 2, 5]);
  assert.equal(feed.getSnapshot().missed, 2);
  feed.close();
});

test("a hole that cannot even be asked for starts the connection again from before it", async () => {
  const { feed, clock, server, ids } = await bench();
  FakeSocket.last.accept();
  FakeSocket.last.events(...progress(1, 2));
  server.failure = { status: 503 };
  FakeSocket.last.events(...progress(5, 1));
  await clock.pass(600);
  assert.equal(FakeSocket.all.length, 2);
  assert.equal(FakeSocket.last.query["after"], "2");
  FakeSocket.last.accept();
  FakeSocket.last.events(...progress(3, 3));
  assert.deepEqual(ids, range(1, 5));
  feed.close();
});

test("tries are spread by full jitter, grow, and are bounded", async () => {
  const { feed, clock } = await bench({ transports: ["websocket"] });
  const waits: number[] = [];
  for (let turn = 0; turn < 12; turn += 1) {
    const count = FakeSocket.all.length;
    const since = clock.now();
    FakeSocket.last.drop();
    while (FakeSocket.all.length === count) await clock.pass(100);
    waits.push(clock.now() - since);
  }
  assert.deepEqual(waits.slice(0, 4), [500, 1000, 2000, 4000]);
  assert.equal(Math.max(...waits), 30_000);
  feed.close();
});

test("the waiting starts small again only after a connection that lasted", async () => {
  const { feed, clock } = await bench({ transports: ["websocket"] });
  for (const lasts of [0, 0, 6000]) {
    FakeSocket.last.accept();
    await clock.pass(lasts);
    FakeSocket.last.drop();
    if (lasts === 0) await clock.pass(30_000);
  }
  const count = FakeSocket.all.length;
  await clock.pass(499);
  assert.equal(FakeSocket.all.length, count);
  await clock.pass(1);
  assert.equal(FakeSocket.all.length, count + 1);
  feed.close();
});

test("it asks for a sign of life, and leaves a line that is dead", async () => {
  const { feed, clock } = await bench();
  const [first] = FakeSocket.all;
  first?.accept();
  await clock.pass(20_000);
  assert.deepEqual(first?.sent, ['{"type":"ping"}']);
  first?.say({ type: "pong" });
  await clock.pass(20_000);
  assert.equal(first?.sent.length, 2);
  await clock.pass(9_999);
  assert.equal(feed.getSnapshot().status, "live");
  await clock.pass(1);
  assert.equal(feed.getSnapshot().status, "reconnecting");
  assert.equal(first?.closed, true);
  feed.close();
});

test("a handshake that hangs is given up", async () => {
  const { feed, clock } = await bench({ transports: ["websocket"] });
  await clock.pass(10_500);
  assert.equal(FakeSocket.all.length, 2);
  feed.close();
});

test("after two failures it polls, and leaves polling when the WebSocket is back", async () => {
  const { feed, clock, server, ids } = await bench({ apiKey: "k", transports: ["websocket", "poll"] });
  server.log = progress(1, 3);
  FakeSocket.last.drop();
  await clock.pass(500);
  FakeSocket.last.drop();
  await clock.pass(0);
  assert.equal(feed.getSnapshot().status, "polling");
  assert.deepEqual(ids, [1, 2, 3]);
  server.log = progress(1, 4);
  await clock.pass(1500);
  assert.deepEqual(ids, [1, 2, 3, 4]);
  const dialled = FakeSocket.all.length;
  for (let waited = 0; waited < 60_000 && FakeSocket.all.length === dialled; waited += 100) await clock.pass(100);
  assert.ok(FakeSocket.all.length > dialled, "the WebSocket is tried again meanwhile");
  FakeSocket.last.accept("e1");
  assert.equal(FakeSocket.last.query["after"], "4");
  FakeSocket.last.events(...progress(4, 2));
  assert.equal(feed.getSnapshot().status, "live");
  assert.deepEqual(ids, range(1, 5));
  const polls = server.asked.length;
  await clock.pass(15_000);
  assert.equal(server.asked.length, polls, "nobody polls beside a live WebSocket");
  feed.close();
});

test("a server without its event bus is told apart from one that is gone", async () => {
  const { feed, clock, server } = await bench();
  server.epoch = null;
  for (let turn = 0; turn < 2; turn += 1) {
    FakeSocket.last.drop(1012);
    await clock.pass(1000 * turn + 500);
  }
  assert.deepEqual([feed.getSnapshot().status, feed.getSnapshot().busAway], ["polling", true]);
  server.epoch = "e1";
  await clock.pass(6000);
  assert.equal(feed.getSnapshot().busAway, false);
  server.epoch = null;
  const dialled = FakeSocket.all.length;
  for (let waited = 0; waited < 60_000 && FakeSocket.all.length === dialled; waited += 100) await clock.pass(100);
  assert.equal(feed.getSnapshot().busAway, true);
  FakeSocket.last.accept();
  assert.deepEqual([feed.getSnapshot().status, feed.getSnapshot().busAway], ["live", false]);
  FakeSocket.last.say({ type: "bus", status: "away" });
  assert.deepEqual([feed.getSnapshot().status, feed.getSnapshot().busAway], ["live", true]);
  FakeSocket.last.say({ type: "bus", status: "back" });
  assert.equal(feed.getSnapshot().busAway, false);
  feed.close();
});

test("polling reads page after page, and rests when nothing happens", async () => {
  const { feed, clock, server, ids } = await bench({ transports: ["poll"] });
  server.pageSize = 10;
  server.log = [...progress(1, 34), event(35, "saving_message", "completed")];
  feed.wake();
  await clock.pass(0);
  assert.deepEqual(ids, range(1, 35));
  await clock.pass(60_000);
  const before = server.asked.length;
  await clock.pass(60_000);
  assert.equal(server.asked.length - before, 12);
  feed.close();
});

test("polling that fails waits as long as the server asks for", async () => {
  const { feed, clock, server } = await bench({ transports: ["poll"] });
  server.failure = { status: 429, headers: { "Retry-After": "40" } };
  await clock.pass(10_000);
  const before = server.asked.length;
  assert.equal(feed.getSnapshot().status, "reconnecting");
  await clock.pass(25_000);
  assert.equal(server.asked.length, before);
  server.failure = null;
  await clock.pass(10_000);
  assert.equal(feed.getSnapshot().status, "polling");
  assert.equal(feed.getSnapshot().lostAt, null);
  feed.close();
});

test("when the server answers polls again, the WebSocket is tried at once", async () => {
  const { feed, clock, server } = await bench({ transports: ["websocket", "poll"] });
  server.failure = { status: 0 };
  for (let turn = 0; turn < 2; turn += 1) {
    FakeSocket.last.drop();
    await clock.pass(turn < 1 ? 500 : 0);
  }
  const count = FakeSocket.all.length;
  server.failure = null;
  await clock.pass(4000);
  assert.equal(feed.getSnapshot().status, "polling");
  assert.equal(FakeSocket.all.length, count + 1);
  feed.close();
});

test("a reset forgets cursor and state, and reads again from the start", async () => {
  const { feed, clock, ids } = await bench();
  FakeSocket.last.accept("e1");
  FakeSocket.last.events(...progress(7, 2));
  FakeSocket.last.drop();
  await clock.pass(500);
  let resets = 0;
  feed.on("reset", () => {
    resets += 1;
  });
  FakeSocket.last.say({ type: "reset", reason: "epoch", epoch: "e2", last_id: 3 });
  assert.deepEqual(feed.getSnapshot().state.order, []);
  assert.equal(resets, 1);
  await clock.pass(1000);
  assert.deepEqual(FakeSocket.last.query, { after: "0", epoch: "e2" });
  FakeSocket.last.accept("e2");
  FakeSocket.last.events(...progress(1, 3));
  assert.deepEqual(ids, [7, 8, 1, 2, 3]);
  feed.close();
});

test("a reset in answer to a feed from the very start does not make it dial for ever", async () => {
  const { feed, clock, server, ids } = await bench();
  server.log = progress(4, 2);
  FakeSocket.last.accept("e1");
  FakeSocket.last.say({ type: "reset", reason: "expired", epoch: "e1", last_id: 5 });
  FakeSocket.last.events(...progress(6, 1));
  await clock.pass(3000);
  assert.equal(FakeSocket.all.length, 1);
  assert.deepEqual(ids, [4, 5, 6], "what came meanwhile waited for what is older");
  feed.close();
});

test("a poll that answers a stale cursor from the start is a reset, told once", async () => {
  const { feed, clock, server, ids } = await bench({ transports: ["poll"], after: 900 });
  let resets = 0;
  feed.on("reset", () => {
    resets += 1;
  });
  server.log = progress(1, 2);
  server.stale = (after) => after > 2;
  await clock.pass(0);
  assert.deepEqual([resets, ids], [1, [1, 2]]);
  feed.close();
});

test("another epoch in a connection or a poll is a reset too", async () => {
  const { feed, clock, server, ids } = await bench({ transports: ["poll"] });
  server.epoch = "e1";
  server.log = progress(8, 2);
  await clock.pass(0);
  server.epoch = "e2";
  server.log = progress(1, 2);
  await clock.pass(2000);
  assert.deepEqual(ids, [8, 9, 1, 2]);
  feed.close();
});

test("a server that resumed later than asked is asked over HTTP for what it left out", async () => {
  const { feed, clock, server, ids } = await bench();
  server.log = progress(1, 4);
  FakeSocket.last.accept("e1", 4);
  FakeSocket.last.say({ type: "hello", after: 4, epoch: "e1" });
  FakeSocket.last.events(...progress(5, 1));
  await clock.pass(0);
  assert.deepEqual(ids, range(1, 5));
  feed.close();
});

test("each dial uses a fresh token when it is given a way to get one", async () => {
  let count = 0;
  const { feed, clock } = await bench({ token: async () => `t${(count += 1)}` });
  FakeSocket.last.drop(4401);
  await clock.pass(500);
  assert.equal(FakeSocket.last.query["token"], "t2");
  feed.close();
});

test("wake dials at once instead of waiting", async () => {
  const { feed } = await bench();
  FakeSocket.last.drop();
  feed.wake();
  await settle();
  assert.equal(FakeSocket.all.length, 2);
  feed.close();
});

test("a closed feed does nothing more", async () => {
  const { feed, clock, server, ids } = await bench();
  FakeSocket.last.accept();
  feed.close();
  FakeSocket.last.events(...progress(1, 2));
  await clock.pass(600_000);
  assert.deepEqual(ids, []);
  assert.equal(FakeSocket.all.length, 1);
  assert.equal(server.asked.length, 0);
  assert.equal(feed.getSnapshot().status, "closed");
});

test("a burst of 3,000 events arrives whole and in order through a line that breaks", async () => {
  const { feed, clock, ids } = await bench();
  const burst = progress(1, 3000);
  for (let at = 0; at < burst.length; at += 700) {
    FakeSocket.last.accept();
    FakeSocket.last.events(...burst.slice(Math.max(0, at - 50), at + 700));
    const count = FakeSocket.all.length;
    FakeSocket.last.drop();
    while (FakeSocket.all.length === count) await clock.pass(100);
  }
  assert.deepEqual(ids, range(1, 3000));
  assert.equal(feed.getSnapshot().missed, 0);
  feed.close();
});

test("unknown frames and garbage are ignored", async () => {
  const { feed, ids } = await bench();
  FakeSocket.last.accept();
  for (const text of ["pong", "{", "[]", "null", '{"type":"toString"}', '{"type":"event","event":{"id":"1"}}']) {
    FakeSocket.last.say(text);
  }
  FakeSocket.last.events(...progress(1, 1));
  assert.deepEqual(ids, [1]);
  feed.close();
});
