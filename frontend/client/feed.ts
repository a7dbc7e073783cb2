// Keeps one session's feed alive: WebSocket first, polling when that does not work, never giving up.
import { type Api, createApi, socketUrl } from "./api";
import { backoffMs, probeBackoff, socketBackoff } from "./backoff";
import { Alarm, type Clock, systemClock } from "./clock";
import { Emitter, type Listener } from "./emitter";
import { type FetchLike, type HttpError, type Token, tokenText } from "./http";
import { Poller } from "./poll";
import { Reader } from "./reader";
import { runningMessages } from "./select";
import { type FeedNames, type FeedSnapshot, type FeedStatus, ServerTime } from "./snapshot";
import { Socket, type SocketClass } from "./socket";
import type { Frame } from "./types";
import { onWake } from "./wake";

export type Transport = "websocket" | "poll";

export interface ConnectOptions {
  /** Where Spanfeed answers; the page's own server when left out. */
  baseUrl?: string;
  sessionId: string;
  /** Sent as a header with polling; a browser cannot send it with a WebSocket. */
  apiKey?: string;
  /** A short-lived session token, or what fetches a fresh one. */
  token?: Token;
  /** The id of the last event already known. */
  after?: number;
  epoch?: string;
  transports?: readonly Transport[];
  WebSocket?: SocketClass;
  fetch?: FetchLike;
  clock?: Clock;
  random?: () => number;
}

export interface Feed {
  getSnapshot(): FeedSnapshot;
  /** Called after every change of the snapshot. */
  subscribe(listener: () => void): () => void;
  on<Name extends keyof FeedNames>(name: Name, listener: Listener<FeedNames[Name]>): () => void;
  /** Tries at once instead of waiting for the next try. */
  wake(): void;
  /** Asks over HTTP for everything behind the last known event. */
  refresh(): Promise<void>;
  close(): void;
}

const FAILURES_BEFORE_POLLING = 3;
const STABLE_MS = 5_000;
const TOKEN_EXPIRED = 4401;
const TOO_MANY = 4429;

export function connect(options: ConnectOptions): Feed {
  const feed = new LiveFeed(options);
  feed.start();
  return feed;
}

class LiveFeed implements Feed {
  private readonly clock: Clock;
  private readonly random: () => number;
  private readonly api: Api;
  private readonly reader: Reader;
  private readonly time: ServerTime;
  private readonly emitter = new Emitter<FeedNames & { change: null }>();
  private readonly retry: Alarm;
  private readonly stable: Alarm;
  private readonly socketClass: SocketClass | null;
  private readonly mayPoll: boolean;
  private readonly stopWaking: () => void;
  private socket: Socket | null = null;
  private poller: Poller | null = null;
  private dialling = false;
  private dialledFrom = { id: 0, taken: 0 };
  private failures = 0;
  private status: FeedStatus = "connecting";
  private lostAt: number | null;
  private busAway = false;
  private snapshot: FeedSnapshot | null = null;

  constructor(private readonly options: ConnectOptions) {
    const { clock = systemClock, random = Math.random, transports = ["websocket", "poll"] } = options;
    const socketClass = options.WebSocket ?? (globalThis as { WebSocket?: SocketClass }).WebSocket;
    this.clock = clock;
    this.random = random;
    this.socketClass = transports.includes("websocket") ? (socketClass ?? null) : null;
    this.mayPoll = transports.includes("poll");
    this.api = createApi(options);
    this.time = new ServerTime(clock);
    this.retry = new Alarm(clock);
    this.stable = new Alarm(clock);
    this.lostAt = clock.now();
    this.reader = new Reader(options.after ?? 0, options.epoch ?? null, clock, {
      fetchPage: (query) => this.api.events(options.sessionId, query),
      onEvent: (event) => {
        this.time.heard(event.timestamp);
        this.emitter.emit("event", event);
      },
      onChange: () => this.changed(),
      onReset: (reason) => this.afterReset(reason),
      onBus: (away) => this.meetBus(away),
      onStuck: () => this.dropSocket(),
    });
    this.stopWaking = onWake(() => this.wake());
  }

  start(): void {
    if (this.socketClass) void this.dial();
    else this.startPolling();
  }

  getSnapshot(): FeedSnapshot {
    this.snapshot ??= {
      status: this.status,
      lostAt: this.lostAt,
      busAway: this.busAway,
      lastId: this.reader.cursor.lastId,
      epoch: this.reader.cursor.epoch,
      missed: this.reader.cursor.missed,
      clockOffsetMs: this.time.offsetMs,
      state: this.reader.state,
    };
    return this.snapshot;
  }

  subscribe(listener: () => void): () => void {
    return this.emitter.on("change", listener);
  }

  on<Name extends keyof FeedNames>(name: Name, listener: Listener<FeedNames[Name]>): () => void {
    return this.emitter.on(name as never, listener as Listener<never>);
  }

  wake(): void {
    this.poller?.nudge();
    if (this.socket) this.socket.ping();
    else if (this.retry.pending) void this.dial();
  }

  async refresh(): Promise<void> {
    if (!this.closed()) await this.reader.refetch();
  }

  close(): void {
    this.become("closed");
    this.stopWaking();
    this.retry.clear();
    this.stable.clear();
    this.poller?.stop();
    this.socket?.close();
    this.reader.dropHeld();
    this.emitter.clear();
  }

  private async dial(): Promise<void> {
    if (!this.socketClass || this.socket || this.dialling || this.status === "closed") return;
    this.retry.clear();
    this.dialling = true;
    try {
      const token = await tokenText(this.options.token);
      if (this.closed()) return;
      this.openSocket(this.socketClass, token);
    } catch {
      this.afterLoss(0);
    } finally {
      this.dialling = false;
    }
  }

  private openSocket(socketClass: SocketClass, token: string | null): void {
    const { lastId, epoch } = this.reader.cursor;
    const url = socketUrl(this.options.baseUrl ?? "", this.options.sessionId, { after: lastId, epoch }, token);
    this.dialledFrom = { id: lastId, taken: this.reader.taken };
    const socket: Socket = new Socket(url, socketClass, this.clock, {
      onLive: () => this.afterLive(),
      onFrame: (frame) => this.hear(frame),
      onLost: (code) => {
        if (this.socket === socket) this.socket = null;
        this.afterLoss(code);
      },
    });
    this.socket = socket;
  }

  private hear(frame: Frame): void {
    if (frame.type === "connection") {
      this.time.told(frame.timestamp);
      this.changed();
    }
    this.reader.hear(frame);
    this.emitter.emit("frame", frame);
  }

  private meetBus(away: boolean): void {
    if (away === this.busAway) return;
    this.busAway = away;
    this.changed();
  }

  private afterLive(): void {
    this.meetBus(false);
    this.stopPolling();
    this.stable.set(STABLE_MS, () => {
      this.failures = 0;
    });
    this.become("live");
  }

  private afterLoss(code: number): void {
    if (this.closed()) return;
    this.stable.clear();
    this.reader.dropHeld();
    this.failures += 1;
    if (code === TOKEN_EXPIRED && typeof this.options.token !== "function") this.emitter.emit("unauthorized", code);
    if (!this.poller) this.become("reconnecting");
    if (this.failures >= FAILURES_BEFORE_POLLING && this.mayPoll) this.startPolling();
    const patience = this.poller || code === TOO_MANY ? probeBackoff : socketBackoff;
    this.retry.set(backoffMs(this.failures, this.random, patience), () => void this.dial());
  }

  /** Ends the connection as if it had been lost, to start again from the cursor. */
  private dropSocket(): void {
    if (!this.socket) return;
    this.socket.close();
    this.socket = null;
    this.afterLoss(0);
  }

  private afterReset(reason: string | null): void {
    const fromStart = this.dialledFrom.id === 0 && this.dialledFrom.taken === this.reader.taken;
    this.emitter.emit("reset", reason);
    this.changed();
    if (!this.socket) return;
    // A server that answers a feed from the very start with a reset would do so for ever: stay and ask over HTTP.
    if (fromStart) void this.refresh().catch(() => undefined);
    else this.dropSocket();
  }

  private startPolling(): void {
    if (this.poller) return;
    this.poller = new Poller(this.clock, this.random, {
      poll: async () => (await this.reader.fetchBehind()) > 0 || runningMessages(this.reader.state).length > 0,
      onWorking: (recovered) => {
        this.become("polling");
        if (recovered) void this.dial();
      },
      onTrouble: (error) => this.afterPollTrouble(error),
    });
    this.poller.nudge();
  }

  private afterPollTrouble(error: HttpError): void {
    this.become("reconnecting");
    if (error.sessionLost) this.emitter.emit("unauthorized", error.status);
  }

  private stopPolling(): void {
    this.poller?.stop();
    this.poller = null;
  }

  private closed(): boolean {
    return this.status === "closed";
  }

  private become(status: FeedStatus): void {
    const well = status === "live" || status === "polling" || status === "closed";
    this.lostAt = well ? null : (this.lostAt ?? this.clock.now());
    if (status === this.status) return;
    this.status = status;
    this.changed();
    this.emitter.emit("status", status);
  }

  private changed(): void {
    this.snapshot = null;
    this.emitter.emit("change", null);
  }
}
