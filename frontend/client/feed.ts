// Keeps one session's feed alive: the best transport that works, none missed, none twice, never giving up.
import { type Api, createApi, socketUrl, streamUrl } from "./api";
import { type Clock, systemClock } from "./clock";
import { Emitter, type Listener } from "./emitter";
import { type FetchLike, type Keeper, type Token, tokenKeeper } from "./http";
import { Ladder } from "./ladder";
import type { Line, LineHandlers, Loss, Transport } from "./line";
import { Poll } from "./poll";
import { Reader } from "./reader";
import { runningMessages } from "./select";
import { browserSigns, type Signs } from "./signs";
import { type FeedNames, type FeedSnapshot, type FeedStatus, ServerTime } from "./snapshot";
import { Socket, type SocketClass } from "./socket";
import { type ConnectionState, type ConnectionStats, Tally } from "./stats";
import { Stream } from "./stream";
import type { Frame } from "./types";

export interface ConnectOptions {
  /** Where Spanfeed answers; the page's own server when left out. */
  baseUrl?: string;
  sessionId: string;
  /** Sent as a header with requests; a browser cannot send it with a WebSocket. */
  apiKey?: string;
  /** A short-lived session token, or what fetches a fresh one for each connection. */
  token?: Token;
  /** Fetches a new token when the present one is not accepted any more. */
  getToken?: Exclude<Token, string>;
  /** The id of the last event already known. */
  after?: number;
  epoch?: string;
  /** Which may be used, the best first; all when left out. */
  transports?: readonly Transport[];
  WebSocket?: SocketClass;
  fetch?: FetchLike;
  clock?: Clock;
  random?: () => number;
  signs?: Signs;
}

export interface Feed {
  getSnapshot(): FeedSnapshot;
  getConnectionState(): ConnectionState;
  getConnectionStats(): ConnectionStats;
  /** Called after every change of the snapshot. */
  subscribe(listener: () => void): () => void;
  on<Name extends keyof FeedNames>(name: Name, listener: Listener<FeedNames[Name]>): () => void;
  /** Tries at once instead of waiting for the next try. */
  wake(): void;
  /** Asks over HTTP for everything behind the last known event. */
  refresh(): Promise<void>;
  close(): void;
}

const TOKEN_EXPIRED = 4401;
const REFUSALS: readonly number[] = [401, 403, 404, TOKEN_EXPIRED];

export function connect(options: ConnectOptions): Feed {
  const feed = new LiveFeed(options);
  feed.start();
  return feed;
}

class LiveFeed implements Feed {
  private readonly _clock: Clock;
  private readonly _signs: Signs;
  private readonly _fetch: FetchLike;
  private readonly _keeper: Keeper;
  private readonly _api: Api;
  private readonly _reader: Reader;
  private readonly _ladder: Ladder;
  private readonly _time: ServerTime;
  private readonly _tally: Tally;
  private readonly _emitter = new Emitter<FeedNames & { change: null }>();
  private readonly _socketClass: SocketClass | undefined;
  private _dialledFrom = { after: 0, taken: 0 };
  private _status: FeedStatus = "connecting";
  private _lostAt: number | null;
  private _busAway = false;
  /** A new token has been asked for, and has not proved good yet. */
  private _renewed = false;
  private _snapshot: FeedSnapshot | null = null;

  constructor(private readonly _options: ConnectOptions) {
    const { clock = systemClock, random = Math.random, transports = ["websocket", "sse", "poll"] } = _options;
    this._clock = clock;
    this._signs = _options.signs ?? browserSigns;
    this._fetch = _options.fetch ?? ((url, init) => globalThis.fetch(url, init));
    this._socketClass = _options.WebSocket ?? (globalThis as { WebSocket?: SocketClass }).WebSocket;
    this._keeper = tokenKeeper(_options.token, _options.getToken);
    this._api = createApi({ ..._options, token: this._keeper.token });
    this._time = new ServerTime(clock);
    this._tally = new Tally(clock);
    this._lostAt = clock.now();
    this._reader = new Reader(_options.after ?? 0, _options.epoch ?? null, clock, {
      fetchPage: (query, signal) => this._api.events(_options.sessionId, query, signal),
      onEvent: (event) => {
        // What polls bring first happened long ago, and says nothing of the time now.
        if (this._ladder.transport) this._time.heard(event.timestamp);
        this._tally.event(event.id);
        this._emitter.emit("event", event);
      },
      onChange: () => this._changed(),
      onReset: (reason) => this._afterReset(reason),
      onBus: (away) => this._meetBus(away),
      onStuck: () => this._ladder.redial(),
    });
    const usable = transports.filter((transport) => transport !== "websocket" || this._socketClass);
    this._ladder = new Ladder(usable, clock, random, this._signs, {
      open: (transport, handlers) => this._open(transport, handlers),
      onDial: () => this._tally.dial(),
      onFrame: (frame) => this._hear(frame),
      onUp: (transport) => this._afterUp(transport),
      onDown: (loss, transport) => this._afterDown(loss, transport),
    });
  }

  start(): void {
    this._ladder.dial();
  }

  getSnapshot(): FeedSnapshot {
    this._snapshot ??= {
      status: this._status,
      transport: this._ladder.transport,
      lostAt: this._lostAt,
      busAway: this._busAway,
      lastId: this._reader.cursor.lastId,
      epoch: this._reader.cursor.epoch,
      missed: this._reader.cursor.missed,
      caughtUp: this._tally.missed,
      clockOffsetMs: this._time.offsetMs,
      state: this._reader.state,
    };
    return this._snapshot;
  }

  getConnectionState(): ConnectionState {
    return this._closed() ? "closed" : this._ladder.transport ? "open" : "connecting";
  }

  getConnectionStats(): ConnectionStats {
    return this._tally.stats(this._ladder.transport, this._reader.cursor.lastId);
  }

  subscribe(listener: () => void): () => void {
    return this._emitter.on("change", listener);
  }

  on<Name extends keyof FeedNames>(name: Name, listener: Listener<FeedNames[Name]>): () => void {
    return this._emitter.on(name as never, listener as Listener<never>);
  }

  wake(): void {
    this._ladder.wake();
  }

  async refresh(): Promise<void> {
    if (!this._closed()) await this._reader.refetch();
  }

  close(): void {
    this._ladder.close();
    this._tally.down();
    this._become("closed");
    this._reader.dropHeld();
    this._emitter.clear();
  }

  private _open(transport: Transport, handlers: LineHandlers): Line {
    const { sessionId, baseUrl = "", apiKey } = this._options;
    const { _clock: clock, _fetch: fetch, _keeper: keeper } = this;
    const from = () => {
      const { lastId: after, epoch } = this._reader.cursor;
      this._dialledFrom = { after, taken: this._reader.taken };
      return { after, epoch };
    };
    if (transport === "sse") {
      const address = () => streamUrl(baseUrl, sessionId, from());
      return new Stream(address, fetch, { apiKey, token: keeper.token }, clock, handlers);
    }
    if (transport === "poll" || !this._socketClass) {
      const ask = (seconds: number, signal: AbortSignal) => this._reader.fetchBehind(seconds, signal);
      return new Poll(ask, () => runningMessages(this._reader.state).length > 0, clock, handlers);
    }
    const address = async () => {
      const token = await keeper.token();
      return socketUrl(baseUrl, sessionId, from(), token);
    };
    return new Socket(address, this._socketClass, clock, this._signs.hidden, handlers);
  }

  private _hear(frame: Frame): void {
    if (frame.type === "connection") {
      this._meetBus(false);
      this._time.told(frame.timestamp);
      this._tally.until(frame.last_id ?? 0);
      this._changed();
    }
    this._reader.hear(frame);
    this._emitter.emit("frame", frame);
  }

  private _meetBus(away: boolean): void {
    if (away === this._busAway) return;
    this._busAway = away;
    this._changed();
  }

  private _afterUp(transport: Transport): void {
    this._renewed = false;
    this._tally.up();
    if (transport === "poll") this._tally.until(this._reader.cursor.lastId);
    this._become(transport === "poll" ? "polling" : "live");
    this._changed();
  }

  private _afterDown({ code, final }: Loss, transport: Transport): boolean {
    this._tally.down();
    // What polls read stays: only a connection says again what it has said.
    this._reader.dropHeld();
    const lost = this._signs.online() ? "reconnecting" : "offline";
    this._become(lost);
    if (!REFUSALS.includes(code) || (final && transport === "sse")) return false;
    const expired = code === TOKEN_EXPIRED || code === 401;
    if (expired && !this._renewed && this._keeper.forget()) {
      this._renewed = true;
      return false;
    }
    this._emitter.emit("unauthorized", code);
    return true;
  }

  private _afterReset(reason: string | null): void {
    const fromStart = this._dialledFrom.after === 0 && this._dialledFrom.taken === this._reader.taken;
    this._tally.reset();
    this._emitter.emit("reset", reason);
    this._changed();
    if (this._ladder.transport === "poll") this._ladder.drop();
    // A server that answers a feed from the very start with a reset would do so for ever: stay and ask over HTTP.
    else if (fromStart) void this.refresh().catch(() => undefined);
    else this._ladder.redial();
  }

  private _closed(): boolean {
    return this._status === "closed";
  }

  private _become(status: FeedStatus): void {
    const well = status === "live" || status === "polling" || status === "closed";
    this._lostAt = well ? null : (this._lostAt ?? this._clock.now());
    if (status === this._status) return;
    this._status = status;
    this._changed();
    this._emitter.emit("status", status);
  }

  private _changed(): void {
    this._snapshot = null;
    this._emitter.emit("change", null);
  }
}
