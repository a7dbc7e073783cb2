// A refusal must reach the reader in the server's words, and requests must go where the contract says.
import assert from "node:assert/strict";
import test from "node:test";
import { createApi, socketUrl } from "../api";
import { type FetchLike, HttpError, problemSentence, retryAfterMs } from "../http";

function recorder(reply: () => Response): { calls: [string, RequestInit][]; fetch: FetchLike } {
  const calls: [string, RequestInit][] = [];
  const fetch: FetchLike = async (url, init = {}) => {
    calls.push([url, init]);
    return reply();
  };
  return { calls, fetch };
}

test("a problem is one sentence, whether detail is a text or a list of fields", () => {
  assert.equal(problemSentence({ detail: "Invalid API key" }), "Invalid API key");
  const detail = [{ type: "x", loc: ["body", "message"], msg: "Field required", input: {} }, { msg: "Too long" }];
  assert.equal(problemSentence({ detail }), "message: Field required; Too long");
  assert.equal(problemSentence({ title: "Not Found" }), "Not Found");
  assert.equal(problemSentence(null), "");
});

test("Retry-After is seconds or a date", () => {
  assert.equal(retryAfterMs("3", 0), 3000);
  assert.equal(retryAfterMs("Thu, 01 Jan 1970 00:00:09 GMT", 4000), 5000);
  assert.equal(retryAfterMs("soon", 0), null);
  assert.equal(retryAfterMs(null, 0), null);
});

test("a question is sent as JSON, with the wish not to wait for the answer", async () => {
  const { calls, fetch } = recorder(() => Response.json({ message_id: "m" }, { status: 202 }));
  const api = createApi({ baseUrl: "http://host/", fetch, apiKey: "k" });
  await api.ask({ message: "Why?", session_id: "s", language: "fr" });
  const [url, init] = calls[0] ?? ["", {}];
  const headers = new Headers(init.headers);
  assert.equal(url, "http://host/chat/");
  assert.equal(init.body, '{"message":"Why?","session_id":"s","language":"fr"}');
  assert.deepEqual(["Prefer", "X-API-Key"].map((name) => headers.get(name)), ["respond-async", "k"]);
});

test("to stop and to try again are POSTs on the message", async () => {
  const replies = [
    Response.json({ session_id: "s/1", message_id: "m", status: "cancelled", cancelled: true }),
    Response.json({ session_id: "s/1", message_id: "m2", status: "accepted" }, { status: 202 }),
  ];
  const { calls, fetch } = recorder(() => replies.shift() ?? Response.error());
  const api = createApi({ baseUrl: "http://host", fetch, token: "t" });
  assert.equal((await api.cancel("s/1", "m")).cancelled, true);
  assert.equal((await api.retry("s/1", "m")).message_id, "m2");
  assert.deepEqual(
    calls.map(([url, { method }]) => `${method} ${url}`),
    ["POST http://host/chat/s%2F1/messages/m/cancel", "POST http://host/chat/s%2F1/messages/m/retry"],
  );
  assert.equal(new Headers(calls[0]?.[1].headers).get("Authorization"), "Bearer t");
});

test("a refusal carries status, sentence and waiting time", async () => {
  const refuse = () => Response.json({ detail: "Slow down" }, { status: 429, headers: { "Retry-After": "2" } });
  const api = createApi({ baseUrl: "http://host", fetch: recorder(refuse).fetch });
  await assert.rejects(api.history("s"), (error) => {
    const { status, detail, retryAfterMs: wait } = error as HttpError;
    return error instanceof HttpError && status === 429 && detail === "Slow down" && wait === 2000;
  });
});

test("a server that cannot be reached is status 0", async () => {
  const api = createApi({ baseUrl: "http://host", fetch: () => Promise.reject(new TypeError("failed")) });
  await assert.rejects(api.history("s"), (error) => error instanceof HttpError && error.status === 0);
});

test("the WebSocket's address follows the page's scheme and escapes what it carries", () => {
  const url = socketUrl("https://host/base", "a/b", { after: 5, epoch: "e&1" }, "t+");
  assert.equal(url, "wss://host/base/chat/ws/events/a%2Fb?after=5&epoch=e%261&token=t%2B");
});
