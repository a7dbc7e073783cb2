// A user's stream outlives what broke the second seed's client: each test is one of its faults.
import assert from "node:assert/strict";
import test from "node:test";
import { settle } from "../../client/tests/fakes";
import type { SSEEvent } from "../event";
import { matches } from "../listeners";
import { Events, say, told } from "./page";

/** A manager that is connected, with what its listeners of all events have heard. */
async function connected(options = {}) {
  const server = new Events();
  const manager = server.manager(options);
  const heard: string[] = [];
  manager.on("*", ({ id, type }) => heard.push(`${type} ${id}`));
  manager.connect();
  await server.accept(10);
  heard.length = 0;
  return { server, manager, heard };
}

test("without this a server that accepts and drops is asked again and again without a pause", async () => {
  const { server, manager } = await connected();
  for (let minute = 0; minute < 10; minute += 1) {
    server.last.end();
    await server.clock.pass(60_000);
    await server.accept(10);
  }
  const before = server.streams.length;
  for (let second = 0; second < 120; second += 1) {
    if (server.open.length > 0) await server.accept(10);
    server.last.end();
    await server.clock.pass(1_000);
  }
  assert.ok(server.streams.length - before <= 12, `${server.streams.length - before} tries in two minutes`);
  manager.disconnect();
});

test("without this a client gives up for ever after ten tries", async () => {
  const { server, manager, heard } = await connected();
  server.refusal = 503;
  server.last.end();
  await server.clock.pass(20 * 60_000);
  assert.ok(manager.getConnectionStats().reconnectAttempts > 10);
  assert.equal(manager.getConnectionState(), "connecting");
  server.refusal = null;
  while (server.open.length === 0) await server.clock.pass(1_000);
  await server.accept(10);
  await say(server.last, told(11));
  assert.deepEqual(heard.slice(-1), ["document.uploaded 11"]);
  manager.disconnect();
});

test("without this the server's Retry-After is overrun by all its clients", async () => {
  const { server, manager } = await connected();
  server.refusal = 429;
  server.retryAfter = "120";
  server.last.end();
  await server.clock.pass(100_000);
  assert.equal(server.streams.length, 2);
  manager.disconnect();
});

test("without this what happens while the line is cut is never heard", async () => {
  const { server, manager } = await connected();
  assert.deepEqual(server.last.query, {});
  await say(server.last, told(12));
  server.last.end();
  await server.clock.pass(2_000);
  assert.deepEqual(server.last.query, { after: "12", epoch: "e1" });
  manager.disconnect();
  await server.clock.pass(60_000);
  manager.connect();
  await settle();
  assert.deepEqual(server.last.query, { after: "12", epoch: "e1" });
  manager.disconnect();
});

test("without this listeners fall silent after a reconnection", async () => {
  const { server, manager } = await connected();
  const heard: string[] = [];
  manager.on("document.*", ({ id }) => heard.push(`pattern ${id}`));
  manager.onCategory("realtime", ({ id }) => heard.push(`category ${id}`));
  manager.onHighPriority(({ id }) => heard.push(`urgent ${id}`));
  server.last.end();
  await server.clock.pass(2_000);
  await server.accept(10);
  await say(server.last, told(11, "document.uploaded", { priority: "high" }));
  assert.deepEqual(heard, ["pattern 11", "category 11", "urgent 11"]);
  manager.disconnect();
});

test("without this an event that is sent again, or matches twice, is handled twice", async () => {
  const { server, manager, heard } = await connected();
  const wide: string[] = [];
  const listener = ({ id }: SSEEvent) => wide.push(id);
  manager.on("document.*", listener);
  manager.on("document.uploaded", listener);
  manager.addEventListener("document.*", listener);
  manager.onCategory("realtime", listener);
  await say(server.last, told(11), told(12), told(11), told(12));
  server.last.end();
  await server.clock.pass(2_000);
  await server.accept(12);
  await say(server.last, told(12), told(13));
  assert.deepEqual(wide, ["11", "12", "13"]);
  assert.equal(heard.filter((line) => line.startsWith("document")).length, 3);
  assert.equal(manager.getConnectionStats().eventCount, 3);
  manager.disconnect();
});

test("without this one message that is no JSON ends the stream", async () => {
  const { server, manager, heard } = await connected();
  server.last.write("event: broken\ndata: {\n\ndata: 7\n\ndata: null\n\n: keepalive\n\n");
  await say(server.last, { id: "11", type: "constructor", data: null, metadata: null }, told(12));
  assert.deepEqual(heard, ["constructor 11", "document.uploaded 12"]);
  assert.equal(server.streams.length, 1);
  manager.disconnect();
});

test("without this a message that comes in pieces, or with carriage returns, is lost", async () => {
  const { server, manager, heard } = await connected();
  const text = JSON.stringify({ ...told(11), data: { a: "é" } });
  const bytes = new TextEncoder().encode(`id: 11\r\nevent: a\r\ndata:${text}\r\n\r\n`);
  for (const byte of bytes) server.last.bytes(Uint8Array.of(byte));
  await settle();
  assert.deepEqual(heard, ["document.uploaded 11"]);
  manager.disconnect();
});

test("without this an expired token ends the events until the page is loaded again", async () => {
  let made = 0;
  const { server, manager } = await connected({ getToken: () => `token-${(made += 1)}` });
  assert.equal(server.last.headers.get("Authorization"), "Bearer token-1");
  assert.equal(server.last.url.search, "");
  await say(server.last, told(11), { id: "x", type: "connection.expired" });
  await server.clock.pass(1_000);
  assert.equal(server.last.headers.get("Authorization"), "Bearer token-2");
  assert.equal(server.last.query["after"], "11");
  server.worn = "token-2";
  assert.equal(await manager.triggerTestEvent(), true);
  const refused: number[] = [];
  manager.onUnauthorized((status) => refused.push(status));
  server.refusal = 401;
  server.last.end();
  await server.clock.pass(10_000);
  assert.deepEqual([made, refused], [4, [401]]);
  manager.disconnect();
});

test("without this a stream goes on behind the back of who has ended it", async () => {
  const { server, manager, heard } = await connected();
  const { last } = server;
  manager.disconnect();
  assert.ok(last.closed);
  await say(last, told(11));
  await server.clock.pass(600_000);
  assert.deepEqual([server.streams.length, heard, manager.getConnectionState()], [1, [], "closed"]);
  const { isConnected, connectionDuration } = manager.getConnectionStats();
  assert.deepEqual([isConnected, connectionDuration], [false, null]);
});

test("without this a second connect, also between two tries, opens a second stream", async () => {
  const { server, manager } = await connected();
  manager.connect();
  server.last.end();
  await settle();
  manager.connect();
  await server.clock.pass(2_000);
  assert.deepEqual([server.streams.length, server.open.length], [2, 1]);
  manager.disconnect();
});

test("without this a line that has gone silent is taken for a quiet one", async () => {
  const { server, manager } = await connected();
  await server.clock.pass(60_000);
  assert.ok(server.streams.length > 1);
  manager.disconnect();
});

test("without this a listener that fails keeps the others from hearing", async () => {
  const { server, manager, heard } = await connected();
  const said = console.error;
  const errors: unknown[] = [];
  console.error = (error: unknown) => errors.push(error);
  manager.on("*", () => Promise.reject(new Error("later")));
  manager.on("*", () => {
    throw new Error("at once");
  });
  const late: string[] = [];
  manager.on("*", ({ id }) => late.push(id));
  await say(server.last, told(11));
  console.error = said;
  assert.deepEqual([heard.length, late, errors.length], [1, ["11"], 2]);
  manager.disconnect();
});

test("without this a log that has begun anew is taken for repeats", async () => {
  const { server, manager, heard } = await connected();
  const data = { reason: "epoch", epoch: "e2", last_id: 2 };
  await say(server.last, told(50), { id: "x", type: "connection.reset", data });
  await say(server.last, told(1), told(2));
  assert.deepEqual(heard, ["document.uploaded 50", "connection.reset x", "document.uploaded 1", "document.uploaded 2"]);
  manager.disconnect();
});

test("without this the next user goes on from where the last one was", async () => {
  const { server, manager } = await connected();
  const { last } = server;
  const { clock, signs, fetch } = server;
  manager.configure({ baseUrl: "http://spanfeed.test", clock, signs, fetch, admin: true });
  await settle();
  const { pathname } = server.last.url;
  assert.deepEqual([last.closed, pathname, server.last.query], [true, "/api/v1/events/admin/stream", {}]);
  manager.disconnect();
});

test("without this the page's own calls have no answers of the second seed's kind", async () => {
  const { server, manager } = await connected({ userId: "ana" });
  assert.deepEqual([await manager.triggerTestEvent(), await manager.getSSEStats()], [true, { total_connections: 1 }]);
  const asked = server.others.map(({ url, method }) => `${method} ${url.split("/").at(-1)}`);
  assert.deepEqual(asked, ["POST test-event", "GET stats"]);
  assert.deepEqual(server.last.query, { user_id: "ana" });
  server.refusal = 403;
  const said = console.error;
  console.error = () => undefined;
  assert.deepEqual([await manager.triggerTestEvent(), await manager.getSSEStats()], [false, null]);
  console.error = said;
  manager.disconnect();
});

test("without this a pattern hears too much or nothing", () => {
  const cases = ["document.* document.uploaded", "*.failed job.failed", "* a", "a*b*c a.b.c", "*.*.* a.b.c", "job job"];
  const others = ["document.* document", "*.failed job.failed.not", "a*b*c a.c", "job job.x", "a*a a", "job.* Job.x"];
  const ask = (line: string) => matches(...(line.split(" ") as [string, string]));
  assert.deepEqual([cases.filter((line) => !ask(line)), others.filter(ask)], [[], []]);
});
