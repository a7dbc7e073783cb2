// Stand-ins for time, the WebSocket, the server's HTTP side and events, all driven by the test.
import type { Clock, Timer } from "../clock";
import type { FetchLike } from "../http";
import type { SocketLike } from "../socket";
import type { FeedEvent } from "../types";

export class FakeClock implements Clock {
  private time = Date.parse("2026-11-01T10:00:00Z");
  private next = 1;
  private readonly due = new Map<number, { at: number; run: () => void }>();

  now(): number {
    return this.time;
  }

  setTimeout(run: () => void, ms: number): Timer {
    this.due.set(this.next, { at: this.time + ms, run });
    this.next += 1;
    return (this.next - 1) as unknown as Timer;
  }

  clearTimeout(timer: Timer): void {
    this.due.delete(timer as unknown as number);
  }

  /** Lets time pass, with what falls due and the promises behind it. */
  async pass(ms: number): Promise<void> {
    const end = this.time + ms;
    await settle();
    for (;;) {
      const [first] = [...this.due].filter(([, { at }]) => at <= end).sort((a, b) => a[1].at - b[1].at || a[0] - b[0]);
      if (!first) break;
      this.due.delete(first[0]);
      this.time = Math.max(this.time, first[1].at);
      first[1].run();
      await settle();
    }
    this.time = end;
  }
}

export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}

export class FakeSocket implements SocketLike {
  static all: FakeSocket[] = [];
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  readonly sent: string[] = [];
  closed = false;

  constructor(readonly url: string) {
    FakeSocket.all.push(this);
  }

  static get last(): FakeSocket {
    const socket = FakeSocket.all.at(-1);
    if (!socket) throw new Error("nobody has dialled");
    return socket;
  }

  get query(): Record<string, string> {
    return Object.fromEntries(new URL(this.url).searchParams);
  }

  send(data: string): void {
    this.sent.push(data);
  }

  close(): void {
    this.closed = true;
  }

  /** The server speaks. */
  say(frame: unknown): void {
    this.onmessage?.({ data: typeof frame === "string" ? frame : JSON.stringify(frame) } as never);
  }

  accept(epoch = "e1", lastId = 0): void {
    const timestamp = "2026-11-01T10:00:00.000000Z";
    this.say({ type: "connection", status: "connected", session_id: "s", timestamp, epoch, last_id: lastId });
  }

  events(...events: FeedEvent[]): void {
    for (const event of events) this.say({ type: "event", event });
  }

  /** The line breaks. */
  drop(code = 1006): void {
    this.onclose?.({ code } as never);
  }
}

/** A server with a log; `log` is what it would answer to a poll. */
export class FakeServer {
  log: FeedEvent[] = [];
  epoch: string | null | undefined = undefined;
  pageSize = 500;
  /** Which cursors cannot be resumed from: they are answered from the start. */
  stale: (after: number) => boolean = () => false;
  failure: { status: number; headers?: Record<string, string>; body?: unknown } | null = null;
  readonly asked: URL[] = [];

  readonly fetch: FetchLike = async (url) => {
    const asked = new URL(url);
    this.asked.push(asked);
    if (this.failure?.status === 0) throw new TypeError("no network");
    if (this.failure) {
      const { status, headers = {}, body = {} } = this.failure;
      return new Response(JSON.stringify(body), { status, headers });
    }
    const given = Number(asked.searchParams.get("after"));
    const reset = this.stale(given) ? { reset: true, reason: "future" } : {};
    const after = this.stale(given) ? 0 : given;
    const behind = this.log.filter((event) => event.id > after);
    const events = behind.slice(0, this.pageSize);
    const has_more = behind.length > events.length;
    return Response.json({ session_id: "s", events, total_count: events.length, has_more, epoch: this.epoch, ...reset });
  };
}

export function event(id: number, type: string, status: string, more: Partial<FeedEvent> = {}): FeedEvent {
  return {
    id,
    seq: id,
    session_id: "s",
    message_id: "m",
    event_type: type,
    event_status: status as FeedEvent["event_status"],
    event_data: null,
    user_message: `${type} ${status}`,
    timestamp: new Date(Date.parse("2026-11-01T10:00:00Z") + id * 100).toISOString(),
    processing_time_ms: null,
    ...more,
  };
}

/** Some events of one message, numbered from `first`. */
export function progress(first: number, count: number): FeedEvent[] {
  return Array.from({ length: count }, (_, i) => event(first + i, `step${first + i}`, "started"));
}
