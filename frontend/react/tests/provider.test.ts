// React mounts twice, renders often and forgets nothing by itself: one stream for a tree, and none after it.
import assert from "node:assert/strict";
import test from "node:test";
import { createElement, useEffect } from "react";
import { renderToString } from "react-dom/server";
import { settle } from "../../client/tests/fakes";
import { SSEProvider, type SSEContextValue, useSSE } from "../index";
import { act, Events, mount, say, told } from "./page";

async function mounted(autoConnect = true) {
  const server = new Events();
  const manager = server.manager();
  const heard: string[] = [];
  let value = {} as SSEContextValue;
  const body = () => {
    value = useSSE();
    const { on } = value;
    useEffect(() => on("document.*", ({ id }) => heard.push(id)), [on]);
  };
  const given = { manager, autoConnect };
  const Around = ({ children }: { children?: never }) => createElement(SSEProvider, given, children);
  const tree = await mount(body, Around);
  return { server, manager, heard, tree, body, seen: () => value };
}

test("without this StrictMode, which mounts twice, opens two streams or none and hears twice", async () => {
  const { server, manager, heard, tree, seen } = await mounted();
  await act(async () => {
    await server.clock.pass(0);
    await server.accept();
    await say(server.last, told(1));
  });
  assert.deepEqual([server.streams.length, heard], [1, ["1"]]);
  assert.deepEqual([seen().isConnected, seen().connectionState], [true, "open"]);
  await tree.unmount();
  await server.clock.pass(0);
  assert.equal(manager.getConnectionState(), "closed");
});

test("without this a component that is gone leaves a stream, timers or listeners behind", async () => {
  const { server, manager, heard, tree } = await mounted();
  await act(() => server.accept());
  const { last } = server;
  await tree.unmount();
  await server.clock.pass(0);
  assert.ok(last.closed);
  assert.equal(server.clock.pending, 0);
  await say(last, told(1));
  manager.connect();
  await server.accept();
  await say(server.last, told(2));
  assert.deepEqual(heard, []);
  manager.disconnect();
});

test("without this each rendering connects anew, or gives effects new functions to run for", async () => {
  const { server, tree, body, seen } = await mounted();
  await act(() => server.accept());
  const { on, connect, manager } = seen();
  for (let turn = 0; turn < 5; turn += 1) await tree.render(body);
  assert.ok(on === seen().on && connect === seen().connect && manager === seen().manager);
  assert.equal(server.streams.length, 1);
  await tree.unmount();
});

test("without this a page that connects only after a login connects before it, or not at all", async () => {
  const { server, tree, seen } = await mounted(false);
  assert.deepEqual([server.streams.length, seen().connectionState], [0, "closed"]);
  await act(async () => {
    seen().connect();
    await server.accept();
  });
  assert.equal(seen().isConnected, true);
  await act(async () => seen().disconnect());
  assert.deepEqual([server.open.length, seen().connectionState], [0, "closed"]);
  await act(async () => {
    seen().connect();
    await settle();
  });
  assert.equal(server.open.length, 1);
  await tree.unmount();
  await server.clock.pass(0);
  assert.equal(server.open.length, 0);
});

test("without this a page that is drawn on the server fails, or connects there", () => {
  const server = new Events();
  const Body = () => useSSE().connectionState;
  const html = renderToString(createElement(SSEProvider, { manager: server.manager() }, createElement(Body)));
  assert.deepEqual([html, server.streams.length], ["closed", 0]);
});

test("without this a forgotten provider shows as something that is never called", () => {
  const said = console.error;
  console.error = () => undefined;
  const Lost = () => String(useSSE().isConnected);
  assert.ok(/within an SSEProvider/.test(caught(() => renderToString(createElement(Lost)))));
  console.error = said;
});

function caught(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return String(error);
  }
  return "";
}
