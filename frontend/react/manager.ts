// The events of one user over all sessions: one stream, resumed where it was cut, for any number of listeners.
import { Alarm, type Clock, systemClock } from "../client/clock";
import { Emitter } from "../client/emitter";
import { type FetchLike, type Keeper, requestJson, type Token, tokenKeeper } from "../client/http";
import { Ladder } from "../client/ladder";
import type { LineHandlers, Loss } from "../client/line";
import { browserSigns, type Signs } from "../client/signs";
import { type ConnectionState, type ConnectionStats, Tally } from "../client/stats";
import { Stream } from "../client/stream";
import { connectionNews, parseEvent, type SSEEvent } from "./event";
import { Listeners, type SSEListener } from "./listeners";
import { notify, requestNotificationPermission } from "./notices";
import { Position } from "./position";
import { renewed } from "./renewed";

export interface SSEOptions {
  /** Where Spanfeed answers; the page's own server when left out. */
  baseUrl?: string;
  /** The user's token of POST /api/v1/events/token, or what fetches a fresh one for each connection. */
  token?: Token;
  /** Fetches a new token when the present one is not accepted any more. */
  getToken?: Exclude<Token, string>;
  /** For programs on a server; a key never stands in a browser. */
  apiKey?: string;
  /** Whose events; only with an application's key. */
  userId?: string;
  /** Reads the administrators' stream, which tells everybody's events. */
  admin?: boolean;
  /** False: no browser notifications of critical events, even where they are allowed. */
  notifications?: boolean;
  fetch?: FetchLike;
  clock?: Clock;
  random?: () => number;
  signs?: Signs;
}

/** As the client counts, but `connectionDuration` is null while there is no connection. */
export type SSEStats = Omit<ConnectionStats, "connectionDuration"> & { connectionDuration: number | null };

const REFUSALS: readonly number[] = [401, 403, 404];

export class SSEEventManager {
  private _options: SSEOptions = {};
  private _clock: Clock = systemClock;
  private _keeper: Keeper = tokenKeeper(undefined, undefined);
  private _tally = new Tally(systemClock);
  private _position = new Position();
  private _ladder: Ladder | null = null;
  private _letGo = new Alarm(systemClock);
  private readonly _listeners = new Listeners();
  private readonly _emitter = new Emitter<{ change: null; unauthorized: number }>();
  private _holders = 0;
  /** Somebody has called connect() and not disconnect(): then the stream does not end with the last holder. */
  private _wanted = false;
  /** A new token has been asked for, and has not proved good yet. */
  private _renewed = false;

  constructor(options: SSEOptions = {}) {
    this.configure(options);
  }

  /** Says where and as whom to listen. What was read as somebody else is no place to go on from. */
  configure(options: SSEOptions): void {
    const open = this._ladder !== null && (this._wanted || this._holders > 0);
    this._close();
    this._letGo.clear();
    this._options = options;
    this._clock = options.clock ?? systemClock;
    this._letGo = new Alarm(this._clock);
    this._keeper = tokenKeeper(options.token, options.getToken);
    this._tally = new Tally(this._clock);
    this._position = new Position();
    if (open) this._dial();
  }

  /** Opens the stream, and keeps it open until disconnect(). Called again it does nothing. */
  connect = (): void => {
    this._wanted = true;
    this._dial();
  };

  /** Ends the stream at once, for everybody. Listeners stay. */
  disconnect = (): void => {
    this._wanted = false;
    this._close();
  };

  /** Keeps the stream open until what is returned is called; the last one to let go ends it. */
  hold = (): (() => void) => {
    this._holders += 1;
    this._letGo.clear();
    this._dial();
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this._holders -= 1;
      // A moment later: who leaves and comes back at once, as in React's StrictMode, keeps the stream.
      if (this._holders === 0 && !this._wanted) this._letGo.set(0, () => this._close());
    };
  };

  /** `type` is a name, `*` for every event, or a pattern such as `document.*`. Returns what ends the listening. */
  on = (type: string, listener: SSEListener): (() => void) => this._listeners.onType(type, listener);
  off = (type: string, listener: SSEListener): void => this._listeners.offType(type, listener);
  addEventListener = this.on;
  removeEventListener = this.off;

  onCategory = (category: string, listener: SSEListener): (() => void) =>
    this._listeners.onCategory(category, listener);
  offCategory = (category: string, listener: SSEListener): void => this._listeners.offCategory(category, listener);

  /** Events of the priorities high and critical. */
  onHighPriority = (listener: SSEListener): (() => void) => this._listeners.onUrgent(listener);

  /** Told when the credentials are refused and no new token can be had. */
  onUnauthorized = (listener: (status: number) => void): (() => void) => this._emitter.on("unauthorized", listener);

  /** Called after every change of the connection's state. */
  subscribe = (listener: () => void): (() => void) => this._emitter.on("change", listener);

  get connected(): boolean {
    return this.getConnectionState() === "open";
  }

  /** `connecting` also while it waits for the next try. */
  getConnectionState = (): ConnectionState => {
    if (!this._ladder) return "closed";
    return this._ladder.transport ? "open" : "connecting";
  };

  getConnectionStats = (): SSEStats => {
    const stats = this._tally.stats(this._ladder?.transport ?? null, this._position.lastId ?? 0);
    return { ...stats, connectionDuration: stats.isConnected ? stats.connectionDuration : null };
  };

  /** To be called from a click: asks the user whether critical events may be shown as notifications. */
  requestNotificationPermission = (): Promise<boolean> => requestNotificationPermission();

  /** Sends a test event to this stream; false where that is refused. */
  triggerTestEvent = async (): Promise<boolean> => {
    const { userId } = this._options;
    const sent = await this._ask("POST", "test-event", userId === undefined ? {} : { user_id: userId });
    return sent !== null;
  };

  /** What GET /api/v1/events/stats counts; null for who is no administrator. */
  getSSEStats = async (): Promise<Record<string, unknown> | null> =>
    (await this._ask("GET", "stats")) as Record<string, unknown> | null;

  private async _ask(method: "GET" | "POST", path: string, body?: unknown): Promise<unknown> {
    const credentials = { apiKey: this._options.apiKey, token: this._keeper.token };
    try {
      const send = () => requestJson(this._fetch, this._url(path), { method, body }, credentials);
      return await renewed(this._keeper, send);
    } catch (error) {
      console.error(error);
      return null;
    }
  }

  private readonly _fetch: FetchLike = (url, init) => (this._options.fetch ?? globalThis.fetch)(url, init);

  private _url(path: string): string {
    return `${(this._options.baseUrl ?? "").replace(/\/+$/, "")}/api/v1/events/${path}`;
  }

  private _dial(): void {
    if (this._ladder) return;
    const { random = Math.random, signs = browserSigns } = this._options;
    this._ladder = new Ladder(["sse"], this._clock, random, signs, {
      open: (_, handlers) => this._open(handlers),
      onDial: () => this._tally.dial(),
      onFrame: () => undefined,
      onUp: () => {
        this._renewed = false;
        this._tally.up();
        this._emitter.emit("change", null);
      },
      onDown: (loss) => this._afterDown(loss),
    });
    this._ladder.dial();
    this._emitter.emit("change", null);
  }

  private _close(): void {
    if (!this._ladder) return;
    this._ladder.close();
    this._ladder = null;
    this._tally.down();
    this._emitter.emit("change", null);
  }

  private _open(handlers: LineHandlers): Stream {
    const { admin = false, userId, apiKey } = this._options;
    const url = () => this._url(`${admin ? "admin/" : ""}stream${this._position.query(userId)}`);
    const credentials = { apiKey, token: this._keeper.token };
    return new Stream(url, this._fetch, credentials, this._clock, handlers, (_, data) => this._take(data));
  }

  private _take(data: string): void {
    const event = parseEvent(data);
    if (!event) return;
    const news = connectionNews(event);
    if (news) this._position.meet(news, event);
    else if (!this._position.advance(event)) return;
    else this._count(event);
    this._listeners.tell(event);
    if (news === "expired" && this._keeper.forget()) this._ladder?.redial();
  }

  private _count(event: SSEEvent): void {
    this._tally.event(this._position.lastId ?? 0);
    if (this._options.notifications !== false && this._position.isNews) notify(event);
  }

  private _afterDown({ code }: Loss): boolean {
    this._tally.down();
    this._emitter.emit("change", null);
    if (!REFUSALS.includes(code)) return false;
    if (code === 401 && !this._renewed && this._keeper.forget()) {
      this._renewed = true;
      return false;
    }
    this._emitter.emit("unauthorized", code);
    return true;
  }
}

/** The one that most pages need. configure() says where and as whom it listens. */
export const sseEventManager = new SSEEventManager();
