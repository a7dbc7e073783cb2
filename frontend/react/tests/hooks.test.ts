// The hooks for one session: one connection for all who look, and the answer with its sources at the end.
import assert from "node:assert/strict";
import test from "node:test";
import { event, FakeClock, FakeSigns, FakeSocket, settle } from "../../client/tests/fakes";
import { type ChatRun, type FeedView, useChatRun, useConnectionState, useFeed } from "../index";
import { act, mount } from "./page";

let sessions = 0;

function world() {
  FakeSocket.all = [];
  const clock = new FakeClock();
  const asked: string[] = [];
  const bearer: (string | null)[] = [];
  const refusals: number[] = [];
  const fetch = async (url: string, init: RequestInit = {}) => {
    const { pathname } = new URL(url);
    asked.push(`${init.method ?? "GET"} ${pathname}`);
    bearer.push(new Headers(init.headers).get("Authorization"));
    const refusal = refusals.shift();
    if (refusal) return Response.json({ detail: "No." }, { status: refusal });
    if (init.method === "POST") return Response.json({ session_id: sessionId, message_id: "m", status: "queued" });
    return Response.json({ message_id: "m", status: "completed", answer: "Green.", sources: [] });
  };
  const signs = new FakeSigns();
  const sessionId = `session-${(sessions += 1)}`;
  const options = { baseUrl: "http://spanfeed.test", clock, signs, fetch, WebSocket: FakeSocket, random: () => 1 };
  return { clock, asked, bearer, refusals, options, sessionId };
}

test("without this two components, rendered often in StrictMode, open a socket each time", async () => {
  const { clock, options, sessionId } = world();
  const views: FeedView[] = [];
  let state = "";
  const body = () => {
    views[0] = useFeed(sessionId, { ...options, token: () => "t" });
    views[1] = useFeed(sessionId, { ...options, token: () => "t" });
    state = useConnectionState(views[0].feed);
  };
  const tree = await mount(body);
  await clock.pass(0);
  for (let turn = 0; turn < 3; turn += 1) await tree.render(body);
  await act(async () => {
    FakeSocket.last.accept();
    FakeSocket.last.events(event(1, "agent_thinking", "started"));
  });
  assert.equal(FakeSocket.all.length, 1);
  assert.deepEqual([state, views[0]?.snapshot.status, views[1]?.snapshot.lastId], ["open", "live", 1]);
  assert.ok(views[0]?.feed === views[1]?.feed);
  await tree.unmount();
  const again = await mount(body);
  await clock.pass(0);
  assert.deepEqual([FakeSocket.all.length, FakeSocket.last.closed], [1, false]);
  await again.unmount();
  await clock.pass(0);
  assert.deepEqual([FakeSocket.last.closed, clock.pending], [true, 0]);
});

test("without this another session shows what the last one said, or keeps its socket", async () => {
  const { clock, options, sessionId } = world();
  let view = {} as FeedView;
  const body = (session: string | null) => () => {
    view = useFeed(session, options);
  };
  const tree = await mount(body(sessionId));
  await act(async () => FakeSocket.last.events(event(1, "agent_thinking", "started")));
  assert.equal(view.snapshot.lastId, 1);
  const first = FakeSocket.last;
  await tree.render(body(`${sessionId}-next`));
  await clock.pass(0);
  assert.deepEqual([first.closed, view.snapshot.lastId, FakeSocket.all.length], [true, 0, 2]);
  await tree.render(body(null));
  await clock.pass(0);
  assert.deepEqual([FakeSocket.last.closed, view.feed], [true, null]);
  await tree.unmount();
});

test("without this a page has to put together a question, its stages and its answer by hand", async () => {
  const { clock, asked, bearer, refusals, options, sessionId } = world();
  let made = 0;
  let run = {} as ChatRun;
  const tree = await mount(() => {
    run = useChatRun(sessionId, { ...options, getToken: () => `t${(made += 1)}`, language: "en" });
  });
  const { ask } = run;
  await act(async () => FakeSocket.last.accept());
  refusals.push(401);
  await act(async () => void (await run.ask("What does the lamp do?")));
  assert.deepEqual([run.running, run.error, new Set(bearer).size], [true, null, 2]);
  await act(async () => {
    FakeSocket.last.events(event(1, "response_generation", "started"));
    FakeSocket.last.say({ type: "chunk", message_id: "m", attempt: 1, offset: 0, text: "Gre" });
  });
  assert.deepEqual([run.answer, run.sentence, run.document], ["Gre", "response_generation started", null]);
  await act(async () => {
    FakeSocket.last.events(event(2, "saving_message", "completed"));
    await settle();
  });
  assert.deepEqual([run.running, run.answer, run.message?.state], [false, "Green.", "answered"]);
  const base = `/chat/${sessionId}/messages/m`;
  assert.deepEqual(asked.slice(2), [`GET ${base}`]);
  await act(async () => void (await run.cancel()));
  await act(async () => void (await run.retry()));
  assert.deepEqual(asked.slice(3), [`POST ${base}/cancel`, `POST ${base}/retry`]);
  refusals.push(422);
  await act(() => assert.rejects(run.ask("")));
  assert.equal(run.error?.message, "No.");
  assert.ok(run.ask === ask);
  await tree.unmount();
  await clock.pass(0);
});
