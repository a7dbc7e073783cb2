// The HTTP routes a chat page needs, one method each.
import { type Credentials, type FetchLike, requestJson } from "./http";
import type { Accepted, Cancelled, EventPage, History, MessageDocument } from "./types";

export interface ApiOptions extends Credentials {
  baseUrl?: string | undefined;
  fetch?: FetchLike | undefined;
}

export interface Question {
  message: string;
  session_id: string;
  language?: string;
}

export interface EventQuery {
  after: number;
  epoch?: string | null;
  limit?: number;
  /** How long the server may hold the request back until there is something, at most 25. */
  waitSeconds?: number;
}

export interface Api {
  openSession(): Promise<{ session_id: string }>;
  history(sessionId: string): Promise<History>;
  ask(question: Question): Promise<Accepted>;
  message(sessionId: string, messageId: string): Promise<MessageDocument>;
  /** Asks to stop; that it has stopped is told by the feed. */
  cancel(sessionId: string, messageId: string): Promise<Cancelled>;
  /** Asks a message that failed or was stopped once more, as a new message. */
  retry(sessionId: string, messageId: string): Promise<Accepted>;
  events(sessionId: string, query: EventQuery, signal?: AbortSignal): Promise<EventPage>;
}

export const PAGE_LIMIT = 500;

const part = encodeURIComponent;

function messagePath(sessionId: string, messageId: string): string {
  return `/chat/${part(sessionId)}/messages/${part(messageId)}`;
}

function cursor({ after, epoch }: EventQuery): string {
  return `after=${after}${epoch ? `&epoch=${part(epoch)}` : ""}`;
}

export function eventsPath(sessionId: string, query: EventQuery): string {
  const { limit = PAGE_LIMIT, waitSeconds } = query;
  const wait = waitSeconds ? `&wait=${waitSeconds}` : "";
  return `/chat/events/${part(sessionId)}?${cursor(query)}&limit=${limit}${wait}`;
}

export function streamUrl(baseUrl: string, sessionId: string, query: EventQuery): string {
  return `${trimmed(baseUrl)}/chat/events/${part(sessionId)}/stream?${cursor(query)}`;
}

const trimmed = (baseUrl: string): string => baseUrl.replace(/\/+$/, "");

export function createApi(options: ApiOptions = {}): Api {
  const base = trimmed(options.baseUrl ?? "");
  const fetcher: FetchLike = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const get = (path: string, signal?: AbortSignal) => requestJson(fetcher, base + path, { signal }, options);
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    requestJson(fetcher, base + path, { method: "POST", body, headers }, options);
  return {
    openSession: async () => (await post("/page/session", {})) as { session_id: string },
    history: async (sessionId) => (await get(`/chat/${part(sessionId)}`)) as History,
    ask: async (question) => (await post("/chat/", question, { Prefer: "respond-async" })) as Accepted,
    message: async (sessionId, messageId) => (await get(messagePath(sessionId, messageId))) as MessageDocument,
    cancel: async (sessionId, messageId) =>
      (await post(`${messagePath(sessionId, messageId)}/cancel`, {})) as Cancelled,
    retry: async (sessionId, messageId) => (await post(`${messagePath(sessionId, messageId)}/retry`, {})) as Accepted,
    events: async (sessionId, query, signal) => (await get(eventsPath(sessionId, query), signal)) as EventPage,
  };
}

/** The WebSocket's address; a relative base means the page's own server. */
export function socketUrl(baseUrl: string, sessionId: string, query: EventQuery, token: string | null): string {
  const page = (globalThis as { location?: { href: string } }).location?.href;
  const url = new URL(`${trimmed(baseUrl)}/chat/ws/events/${part(sessionId)}?${cursor(query)}`, page);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  if (token) url.searchParams.set("token", token);
  return url.href;
}
