// What a feed shows to the outside: its state, its news by name, and the server's time as heard.
import type { Clock } from "./clock";
import type { FeedState } from "./fold";
import type { Transport } from "./line";
import type { FeedEvent, Frame } from "./types";

/**
 * `reconnecting` says nothing about the messages: only their own terminal events do. `offline` is the same, where the
 * browser says that it has no network; `live` is a WebSocket or a stream.
 */
export type FeedStatus = "connecting" | "live" | "reconnecting" | "offline" | "polling" | "closed";

export interface FeedSnapshot {
  status: FeedStatus;
  /** What carries the feed; null while nothing does. */
  transport: Transport | null;
  /** Since when nothing has come through; null while the feed works. */
  lostAt: number | null;
  /** The server answers, but cannot reach its event bus: what is accepted waits there until it can. */
  busAway: boolean;
  lastId: number;
  epoch: string | null;
  /** Events that are proved lost. */
  missed: number;
  /** Events that had happened while the feed was away the last time, and came when it was back. */
  caughtUp: number;
  /** Server time minus local time. */
  clockOffsetMs: number;
  state: FeedState;
}

export interface FeedNames {
  /** Each event once, in order. */
  event: FeedEvent;
  /** Each frame of a WebSocket or a stream as it came, repeats included. */
  frame: Frame;
  status: FeedStatus;
  /** All that was known is forgotten; the server's history is the truth. */
  reset: string | null;
  /** HTTP's 401, 403 or 404 for the session, or the WebSocket's 4401 for a token that has expired. */
  unauthorized: number;
}

/** Events arrive late, never early: the largest difference seen is the nearest to the truth. */
export class ServerTime {
  private _offset: number | null = null;

  constructor(private readonly _clock: Clock) {}

  get offsetMs(): number {
    return this._offset ?? 0;
  }

  /** The server says what time it is now. */
  told(timestamp: string): void {
    this._offset = this._difference(timestamp) ?? this._offset;
  }

  /** Something that happened at this time has arrived just now. */
  heard(timestamp: string): void {
    const difference = this._difference(timestamp);
    if (difference !== null && (this._offset === null || difference > this._offset)) this._offset = difference;
  }

  private _difference(timestamp: string): number | null {
    const time = Date.parse(timestamp);
    return Number.isNaN(time) ? null : time - this._clock.now();
  }
}
