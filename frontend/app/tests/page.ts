// A chat with a server made of plain data, for the tests beside it.
import { connect, type FeedEvent } from "../../client";
import { FakeClock, FakeSocket, settle } from "../../client/tests/fakes";
import { createPageApi } from "../api";
import { Chat } from "../chat";
import { Memory } from "../storage";

export interface Reply {
  status?: number;
  body?: unknown;
  headers?: Record<string, string>;
}

type Route = Reply | (() => Reply | Promise<Reply>);

/** What the server answers: by method and path, without the query. */
export class FakeSite {
  readonly routes = new Map<string, Route>();
  readonly asked: string[] = [];
  sessions = 0;
  offline = false;

  constructor() {
    this.set("POST /page/session", () => {
      this.sessions += 1;
      return { status: 201, body: { session_id: `s${this.sessions}` } };
    });
  }

  set(name: string, route: Route): void {
    this.routes.set(name, route);
  }

  count(name: string): number {
    return this.asked.filter((asked) => asked === name).length;
  }

  readonly fetch = async (url: string, init: RequestInit = {}): Promise<Response> => {
    const name = `${init.method ?? "GET"} ${new URL(url).pathname}`;
    this.asked.push(name);
    if (this.offline) throw new TypeError("offline");
    const route = this.routes.get(name) ?? (name.startsWith("GET /chat/events/") ? { body: { events: [] } } : { status: 404 });
    const { status = 200, body = { detail: "Not there" }, headers = {} } = typeof route === "function" ? await route() : route;
    return new Response(JSON.stringify(body), { status, headers });
  };
}

export class MapStore {
  readonly items = new Map<string, string>();
  getItem(key: string): string | null {
    return this.items.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.items.set(key, value);
  }
}

export interface Page {
  chat: Chat;
  site: FakeSite;
  clock: FakeClock;
  store: MapStore;
}

export async function openPage(site = new FakeSite(), store = new MapStore(), entered = true): Promise<Page> {
  FakeSocket.all = [];
  const clock = new FakeClock();
  const baseUrl = "http://host";
  const api = createPageApi({ baseUrl, fetch: site.fetch });
  const chat = new Chat({
    api,
    memory: new Memory(store),
    clock,
    random: () => 1,
    connect: (options) =>
      connect({ ...options, baseUrl, fetch: site.fetch, clock, random: () => 1, WebSocket: FakeSocket }),
    soon: (run) => queueMicrotask(run),
  });
  chat.start();
  if (entered) await settle();
  return { chat, site, clock, store };
}

export function saved(id: number, messageId: string): FeedEvent {
  return stage(id, messageId, "saving_message", "completed");
}

export function stage(id: number, messageId: string, type: string, status: FeedEvent["event_status"]): FeedEvent {
  return {
    id,
    seq: id,
    session_id: "s1",
    message_id: messageId,
    event_type: type,
    event_status: status,
    event_data: null,
    user_message: `${type} ${status}`,
    timestamp: "2026-11-01T10:00:00.000000Z",
    processing_time_ms: 1,
  };
}

/** The event that ends a message which somebody stopped. */
export function stopped(id: number, messageId: string): FeedEvent {
  return { ...stage(id, messageId, "error", "failed"), user_message: "❌ The answer was stopped.", reason: "cancelled" };
}

export const record = (messageId: string, more: object = {}) => ({
  body: {
    session_id: "s1",
    message_id: messageId,
    status: "completed",
    answer: "Because [1].",
    sources: [{ title: "Why", url: null, snippet: "Because." }],
    retriever_type: "fts5+extractive",
    ...more,
  },
});

export const accepted = (messageId: string) => ({
  status: 202,
  body: { session_id: "s1", message_id: messageId, status: "accepted" },
});
