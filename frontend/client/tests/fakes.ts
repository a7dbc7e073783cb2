// Stand-ins for time, the WebSocket, the server's HTTP side and events, all driven by the test.
import type { Clock, Timer } from "../clock";
import type { FetchLike } from "../http";
import type { Signs } from "../signs";
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

  /** How many timers run. */
  get pending(): number {
    return this.due.size;
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

  /** The machine sleeps: what falls due meanwhile runs when it wakes. */
  async sleep(ms: number): Promise<void> {
    this.time += ms;
    await this.pass(0);
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
    this.say({ type: "hello", after: Number(this.query["after"]), epoch });
  }

  events(...events: FeedEvent[]): void {
    for (const event of events) this.say({ type: "event", event });
  }

  /** The line breaks. */
  drop(code = 1006, reason = ""): void {
    this.onclose?.({ code, reason } as never);
  }
}

/** One open stream of a server; the test speaks and ends it. */
export class FakeStream {
  readonly headers: Headers;
  closed = false;
  private control: ReadableStreamDefaultController<Uint8Array> | null = null;
  private readonly encoder = new TextEncoder();

  constructor(
    readonly url: URL,
    init: RequestInit,
  ) {
    this.headers = new Headers(init.headers);
    init.signal?.addEventListener("abort", () => this.end());
  }

  get query(): Record<string, string> {
    return Object.fromEntries(this.url.searchParams);
  }

  response(): Response {
    const body = new ReadableStream<Uint8Array>({ start: (control) => void (this.control = control) });
    return new Response(body, { headers: { "Content-Type": "text/event-stream; charset=utf-8" } });
  }

  write(text: string): void {
    this.bytes(this.encoder.encode(text));
  }

  bytes(bytes: Uint8Array): void {
    if (!this.closed) this.control?.enqueue(bytes);
  }

  async say(...frames: Record<string, unknown>[]): Promise<void> {
    for (const frame of frames) this.write(`event: ${frame["type"]}\ndata: ${JSON.stringify(frame)}\n\n`);
    await settle();
  }

  async accept(epoch = "e1", lastId = 0): Promise<void> {
    const timestamp = "2026-11-01T10:00:00.000000Z";
    this.write("retry: 1000\n\n");
    const hello = { type: "hello", after: Number(this.query["after"]), epoch };
    await this.say({ type: "connection", session_id: "s", timestamp, epoch, last_id: lastId }, hello);
  }

  async events(...events: FeedEvent[]): Promise<void> {
    for (const event of events) this.write(`id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`);
    await settle();
  }

  end(): void {
    if (!this.closed) this.control?.close();
    this.closed = true;
  }
}

/** What the browser says of the network and of who looks. */
export class FakeSigns implements Signs {
  private run: (sign: "online" | "offline" | "seen") => void = () => undefined;
  isOnline = true;
  isHidden = false;
  readonly online = () => this.isOnline;
  readonly hidden = () => this.isHidden;

  listen(run: (sign: "online" | "offline" | "seen") => void): () => void {
    this.run = run;
    return () => {
      this.run = () => undefined;
    };
  }

  say(sign: "online" | "offline" | "seen"): void {
    if (sign === "seen") this.isHidden = false;
    else this.isOnline = sign === "online";
    this.run(sign);
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
  /** Polls, without the streams. */
  readonly asked: URL[] = [];
  /** What a request for a stream meets: a stream, or a refusal with this status. */
  streaming: true | number = 404;
  readonly streams: FakeStream[] = [];
  /** A server that knows `wait` holds a request back until there is something. */
  waits = false;
  private readonly waiting = new Set<() => void>();

  constructor(private readonly clock: FakeClock) {}

  get stream(): FakeStream {
    const stream = this.streams.at(-1);
    if (!stream) throw new Error("nobody has asked for a stream");
    return stream;
  }

  get held(): number {
    return this.waiting.size;
  }

  /** Adds to the log, and answers who waits for that. */
  async add(...events: FeedEvent[]): Promise<void> {
    this.log = [...this.log, ...events];
    for (const go of [...this.waiting]) go();
    await settle();
  }

  readonly fetch: FetchLike = async (url, init = {}) => {
    const asked = new URL(url);
    const isStream = asked.pathname.endsWith("/stream");
    if (!isStream) this.asked.push(asked);
    if (this.failure?.status === 0) throw new TypeError("no network");
    if (this.failure) {
      const { status, headers = {}, body = {} } = this.failure;
      return new Response(JSON.stringify(body), { status, headers });
    }
    if (isStream) return this.open(asked, init);
    const given = Number(asked.searchParams.get("after"));
    const wait = Number(asked.searchParams.get("wait"));
    if (this.waits && wait > 0 && !this.log.some((event) => event.id > given)) await this.hold(wait, init.signal);
    const reset = this.stale(given) ? { reset: true, reason: "future" } : {};
    const after = this.stale(given) ? 0 : given;
    const behind = this.log.filter((event) => event.id > after);
    const events = behind.slice(0, this.pageSize);
    const has_more = behind.length > events.length;
    return Response.json({ session_id: "s", events, total_count: events.length, has_more, epoch: this.epoch, ...reset });
  };

  private open(asked: URL, init: RequestInit): Response {
    if (this.streaming !== true) return Response.json({ detail: "No." }, { status: this.streaming });
    this.streams.push(new FakeStream(asked, init));
    return this.stream.response();
  }

  private hold(seconds: number, signal: AbortSignal | null | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.clock.setTimeout(() => go(), seconds * 1000);
      const go = () => {
        this.clock.clearTimeout(timer);
        this.waiting.delete(go);
        signal?.removeEventListener("abort", stop);
        resolve();
      };
      const stop = () => {
        this.waiting.delete(go);
        reject(new DOMException("", "AbortError"));
      };
      this.waiting.add(go);
      signal?.addEventListener("abort", stop);
    });
  }
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
