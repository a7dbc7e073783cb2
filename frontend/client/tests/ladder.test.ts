// Whatever a network blocks, the feed must go on over what is left, and come back to the best without loss or repeat.
import assert from "node:assert/strict";
import test from "node:test";
import type { Feed } from "../feed";
import { bench, range } from "./bench";
import { event, type FakeClock, FakeSocket, progress } from "./fakes";

const way = (feed: Feed) => feed.getConnectionStats().transport;

/** Lets both tries of the WebSocket fail. */
async function block(clock: FakeClock): Promise<void> {
  FakeSocket.last.drop();
  await clock.pass(500);
  FakeSocket.last.drop();
  await clock.pass(0);
}

async function until(clock: FakeClock, met: () => boolean, limitMs = 120_000): Promise<void> {
  for (let waited = 0; !met() && waited < limitMs; waited += 100) await clock.pass(100);
  assert.ok(met());
}

test("where WebSockets are blocked a stream goes on from the same id, with the key in a header", async () => {
  const { feed, clock, server, ids } = await bench({ apiKey: "k" });
  server.streaming = true;
  FakeSocket.last.accept("e1");
  FakeSocket.last.events(...progress(1, 2));
  await block(clock);
  assert.deepEqual(server.stream.query, { after: "2", epoch: "e1" });
  assert.equal(server.stream.headers.get("X-API-Key"), "k");
  await server.stream.accept("e1", 4);
  await server.stream.events(...progress(2, 3));
  await server.stream.say({ type: "chunk", message_id: "m", attempt: 1, offset: 0, text: "Words\u2028" });
  assert.deepEqual(ids, range(1, 4));
  assert.deepEqual([feed.getSnapshot().status, feed.getSnapshot().transport], ["live", "sse"]);
  assert.equal(feed.getSnapshot().state.messages["m"]?.answer.text, "Words\u2028");
  assert.equal(server.asked.length, 0, "a stream needs no polls");
  feed.close();
  assert.equal(server.stream.closed, true);
});

test("where streams are blocked too it polls, and each poll waits at the server", async () => {
  const { feed, clock, server, ids } = await bench();
  server.waits = true;
  await block(clock);
  assert.equal(way(feed), "poll");
  assert.equal(server.held, 1);
  assert.equal(server.asked.at(-1)?.searchParams.get("wait"), "25");
  await server.add(...progress(1, 2));
  assert.deepEqual(ids, [1, 2], "told as soon as it happens");
  await clock.pass(200);
  assert.equal(server.asked.at(-1)?.searchParams.get("after"), "2");
  const before = server.asked.length;
  await clock.pass(60_000);
  assert.ok(server.asked.length - before <= 3, "a quiet session costs a request every 25 s");
  feed.close();
});

test("an older server, which does not know how to wait, is asked now and then", async () => {
  const { feed, clock, server } = await bench({ transports: ["poll"] });
  await clock.pass(60_000);
  const before = server.asked.length;
  await clock.pass(60_000);
  assert.equal(server.asked.length - before, 12);
  feed.close();
});

test("a better transport takes over only when it has said hello, and the other one ends then", async () => {
  const { feed, clock, server, ids } = await bench();
  server.streaming = true;
  await block(clock);
  await server.stream.accept("e1");
  await server.stream.events(...progress(1, 2));
  const dialled = FakeSocket.all.length;
  await until(clock, () => FakeSocket.all.length > dialled);
  assert.deepEqual(FakeSocket.last.query, { after: "2", epoch: "e1" });
  FakeSocket.last.say({ type: "connection", session_id: "s", timestamp: "", epoch: "e1", last_id: 3 });
  assert.deepEqual([way(feed), server.stream.closed], ["sse", false]);
  await server.stream.events(...progress(3, 1));
  FakeSocket.last.say({ type: "hello", after: 2, epoch: "e1" });
  assert.deepEqual([way(feed), server.stream.closed], ["websocket", true]);
  FakeSocket.last.events(...progress(3, 3));
  assert.deepEqual(ids, range(1, 5));
  assert.equal(feed.getConnectionStats().missed, 0);
  feed.close();
});

test("a better transport that still does not work is tried ever more seldom, and costs the feed nothing", async () => {
  const { feed, clock, server } = await bench({ transports: ["websocket", "poll"] });
  server.waits = true;
  await block(clock);
  const waits: number[] = [];
  const seen = new Set<string>();
  feed.on("status", (status) => seen.add(status));
  for (let turn = 0; turn < 6; turn += 1) {
    const [count, since] = [FakeSocket.all.length, clock.now()];
    await until(clock, () => FakeSocket.all.length > count);
    waits.push(clock.now() - since);
    FakeSocket.last.drop();
  }
  assert.deepEqual(waits, [10_000, 20_000, 40_000, 60_000, 60_000, 60_000]);
  assert.deepEqual([...seen], []);
  feed.close();
});

test("from polling each better transport gets its turn", async () => {
  const { feed, clock, server } = await bench();
  server.waits = true;
  await block(clock);
  assert.equal(way(feed), "poll");
  const dialled = FakeSocket.all.length;
  await until(clock, () => FakeSocket.all.length > dialled);
  FakeSocket.last.drop();
  server.streaming = true;
  await until(clock, () => server.streams.length > 0);
  await server.stream.accept();
  assert.equal(way(feed), "sse");
  feed.close();
});

test("when nothing answers it goes round for ever, ever more slowly", async () => {
  const { feed, clock, server } = await bench();
  server.failure = { status: 0 };
  const fail = async (ms: number) => {
    for (let waited = 0; waited < ms; waited += 1000) {
      for (const socket of FakeSocket.all) if (!socket.closed) socket.drop();
      await clock.pass(1000);
    }
  };
  await fail(600_000);
  const [sockets, polls] = [FakeSocket.all.length, server.asked.length];
  await fail(600_000);
  const more = FakeSocket.all.length - sockets;
  assert.ok(more >= 4 && more <= 10, `${more} sockets in ten minutes`);
  assert.ok(server.asked.length > polls);
  assert.equal(feed.getConnectionState(), "connecting");
  feed.close();
});

test("the pause that a server names is kept: in a close reason, a stream's retry and a Retry-After", async () => {
  const { feed, clock, server } = await bench({ transports: ["websocket"], random: () => 0 });
  FakeSocket.last.accept();
  FakeSocket.last.drop(1012, "the server restarts, try again in 870 ms");
  await clock.pass(869);
  assert.equal(FakeSocket.all.length, 1);
  await clock.pass(1);
  assert.equal(FakeSocket.all.length, 2);
  feed.close();

  const other = await bench({ transports: ["sse"], random: () => 0 });
  other.server.streaming = true;
  await other.clock.pass(100);
  await until(other.clock, () => other.server.streams.length > 0);
  await other.server.stream.accept();
  other.server.stream.end();
  await other.clock.pass(999);
  assert.equal(other.server.streams.length, 1);
  await other.clock.pass(1);
  assert.equal(other.server.streams.length, 2);
  await other.server.stream.accept();
  other.server.failure = { status: 503, headers: { "Retry-After": "20" } };
  other.server.stream.end();
  await other.clock.pass(10_000);
  other.server.failure = null;
  await other.clock.pass(10_500);
  assert.equal(other.server.streams.length, 2);
  await other.clock.pass(600);
  assert.equal(other.server.streams.length, 3);
  other.feed.close();
  assert.equal(server.asked.length, 0);
});

test("clients that were told the same pause do not come back together", async () => {
  const back: number[] = [];
  for (const random of [0, 0.5, 1]) {
    const { feed, clock } = await bench({ transports: ["websocket"], random: () => random });
    FakeSocket.last.accept();
    const since = clock.now();
    FakeSocket.last.drop(1012, "try again in 1000 ms");
    await until(clock, () => FakeSocket.all.length > 1);
    back.push(clock.now() - since);
    feed.close();
  }
  assert.deepEqual(back, [1000, 1500, 2000]);
});

test("a token that has expired is renewed, and a new one that is refused too is said, not hammered", async () => {
  let count = 0;
  const getToken = () => `new${(count += 1)}`;
  const { feed, clock, refused } = await bench({ token: "old", getToken, transports: ["websocket"] });
  assert.equal(FakeSocket.last.query["token"], "old");
  FakeSocket.last.accept();
  FakeSocket.last.drop(4401);
  await clock.pass(500);
  assert.equal(FakeSocket.last.query["token"], "new1");
  assert.deepEqual(refused, []);
  FakeSocket.last.drop(4401);
  assert.deepEqual(refused, [4401]);
  const dialled = FakeSocket.all.length;
  await clock.pass(29_000);
  assert.equal(FakeSocket.all.length, dialled);
  await clock.pass(31_000);
  assert.equal(FakeSocket.all.length, dialled + 1);
  feed.close();
});

test("requests use the renewed token as well", async () => {
  const { feed, clock, server } = await bench({ transports: ["sse"], token: "old", getToken: async () => "new" });
  server.failure = { status: 401 };
  await until(clock, () => feed.getConnectionStats().reconnectAttempts > 0);
  server.failure = null;
  server.streaming = true;
  await until(clock, () => server.streams.length > 0);
  assert.equal(server.stream.headers.get("Authorization"), "Bearer new");
  feed.close();
});

test("a refused stream is said at once, and asked for seldom", async () => {
  const { feed, clock, server, refused } = await bench();
  server.streaming = 403;
  await block(clock);
  assert.deepEqual(refused, [403]);
  const dialled = server.asked.length + FakeSocket.all.length;
  await clock.pass(15_000);
  assert.equal(server.asked.length + FakeSocket.all.length, dialled);
  feed.close();
});

test("a client that was too loud is quiet for long", async () => {
  const { feed, clock } = await bench();
  FakeSocket.last.accept();
  FakeSocket.last.drop(4429);
  await clock.pass(29_000);
  assert.equal(FakeSocket.all.length, 1);
  await clock.pass(2000);
  assert.equal(FakeSocket.all.length, 2);
  feed.close();
});

test("offline is said, hardly tried, and over at once when the network is back", async () => {
  const { feed, clock, server, signs, ids } = await bench();
  server.failure = { status: 0 };
  FakeSocket.last.accept();
  FakeSocket.last.events(...progress(1, 2));
  signs.say("offline");
  assert.equal(feed.getSnapshot().status, "offline");
  await clock.pass(500);
  FakeSocket.last.drop();
  const dialled = FakeSocket.all.length;
  await clock.pass(29_000);
  assert.equal(FakeSocket.all.length, dialled);
  server.failure = null;
  signs.say("online");
  await clock.pass(0);
  assert.equal(FakeSocket.all.length, dialled + 1);
  FakeSocket.last.accept("e1", 9);
  FakeSocket.last.events(...progress(3, 8));
  assert.equal(feed.getSnapshot().status, "live");
  assert.deepEqual(ids, range(1, 10));
  assert.equal(feed.getSnapshot().caughtUp, 7, "the tenth happened when the feed was back");
  feed.close();
});

test("a page that is looked at again asks at once whether its line still lives", async () => {
  const { feed, clock, signs } = await bench();
  FakeSocket.last.accept();
  signs.isHidden = true;
  await clock.pass(25_000);
  const socket = FakeSocket.last;
  signs.say("seen");
  const pings = socket.sent.length;
  assert.ok(pings > 0);
  await clock.pass(4_999);
  assert.equal(feed.getSnapshot().status, "live");
  await clock.pass(1);
  assert.equal(feed.getSnapshot().status, "reconnecting");
  await clock.pass(500);
  assert.equal(FakeSocket.all.length, 2);
  feed.close();
});

test("a hidden page leaves the talking to the server", async () => {
  const { feed, clock, signs } = await bench();
  signs.isHidden = true;
  FakeSocket.last.accept();
  for (let turn = 0; turn < 10; turn += 1) {
    await clock.pass(30_000);
    FakeSocket.last.say({ type: "keepalive" });
  }
  assert.deepEqual([FakeSocket.all.length, FakeSocket.last.sent, way(feed)], [1, [], "websocket"]);
  feed.close();
});

test("timers that were held back are no proof that the line is dead", async () => {
  const { feed, clock } = await bench();
  FakeSocket.last.accept();
  await clock.pass(20_000);
  assert.equal(FakeSocket.last.sent.length, 1);
  await clock.sleep(3_600_000);
  assert.equal(way(feed), "websocket", "its answer may stand in the queue behind the timer");
  FakeSocket.last.say({ type: "pong" });
  await clock.pass(15_000);
  assert.equal(way(feed), "websocket");
  assert.equal(FakeSocket.all.length, 1);
  feed.close();
});

test("a stream without a sign of life is left; comments are signs of life", async () => {
  const { feed, clock, server } = await bench({ transports: ["sse"] });
  server.streaming = true;
  await until(clock, () => server.streams.length > 0);
  await server.stream.accept();
  for (let turn = 0; turn < 4; turn += 1) {
    await clock.pass(30_000);
    server.stream.write(": keepalive\n\n");
    await clock.pass(0);
  }
  assert.equal(server.streams.length, 1);
  await clock.pass(44_000);
  assert.equal(way(feed), "sse");
  await clock.pass(2_000);
  assert.equal(way(feed), null);
  await clock.pass(1_000);
  assert.equal(server.streams.length, 2);
  feed.close();
});

test("a stream may come in any pieces, and one that is no stream is left at once", async () => {
  const { feed, clock, server, ids } = await bench({ transports: ["sse"] });
  server.streaming = true;
  await until(clock, () => server.streams.length > 0);
  const one = event(1, "step", "started", { user_message: "✍️ à" });
  const hello = 'event: hello\r\ndata: {"type":"hello",\r\ndata: "after":0}\r\n\r\n';
  const text = `retry: 1000\r\n\r\n${hello}id: 1\ndata:${JSON.stringify(one)}\n\n`;
  for (const byte of new TextEncoder().encode(text)) server.stream.bytes(Uint8Array.of(byte));
  await clock.pass(0);
  assert.deepEqual([ids, way(feed)], [[1], "sse"]);
  assert.equal(feed.getSnapshot().state.messages["m"]?.sentence, "✍️ à");
  feed.close();

  const headers = { "Content-Type": "text/html" };
  const other = await bench({ fetch: async () => new Response("<p>Log in", { headers }) });
  await block(other.clock);
  assert.notEqual(other.feed.getSnapshot().status, "live");
  other.feed.close();
});

test("the statistics say how the connection fares", async () => {
  const { feed, clock } = await bench({ transports: ["websocket"] });
  assert.deepEqual([feed.getConnectionState(), feed.getConnectionStats().isConnected], ["connecting", false]);
  FakeSocket.last.accept();
  FakeSocket.last.events(...progress(1, 3));
  const heardAt = clock.now();
  await clock.pass(4_000);
  const expected = { isConnected: true, connectionDuration: 4000, eventCount: 3, reconnectAttempts: 0, resets: 0 };
  const more = { lastEventTime: heardAt, transport: "websocket", lastEventId: 3, missed: 0 };
  assert.deepEqual(feed.getConnectionStats(), { ...expected, ...more });
  assert.equal(feed.getConnectionState(), "open");
  FakeSocket.last.drop();
  assert.equal(feed.getConnectionStats().connectionDuration, 0);
  await clock.pass(500);
  FakeSocket.last.accept("e1", 5);
  FakeSocket.last.events(...progress(4, 3));
  assert.deepEqual([feed.getConnectionStats().missed, feed.getConnectionStats().reconnectAttempts], [2, 1]);
  feed.close();
  assert.equal(feed.getConnectionState(), "closed");
});

test("what polls bring first is history, and does not set the clock back", async () => {
  const { feed, clock, server } = await bench({ transports: ["poll"] });
  const ago = (ms: number) => ({ timestamp: new Date(clock.now() - ms).toISOString() });
  server.waits = true;
  server.log.push(event(1, "message_received", "started", ago(30_000)));
  await clock.pass(0);
  assert.equal(feed.getSnapshot().lastId, 1);
  assert.equal(feed.getSnapshot().clockOffsetMs, 0, "else what began then would look as if it had begun now");
  await server.add(event(2, "agent_thinking", "started", ago(5_000)));
  assert.equal(feed.getSnapshot().clockOffsetMs, -5_000, "what is told live tells the time");
  feed.close();
});
