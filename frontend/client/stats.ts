// Counts what a connection does, for whoever wants to see it.
import type { Clock } from "./clock";
import type { Transport } from "./line";

export type ConnectionState = "connecting" | "open" | "closed";

export interface ConnectionStats {
  isConnected: boolean;
  /** Milliseconds since the feed works without a break; 0 while it does not. */
  connectionDuration: number;
  eventCount: number;
  /** Tries after the first. */
  reconnectAttempts: number;
  /** When the last event came, in milliseconds as Date.now() counts them. */
  lastEventTime: number | null;
  transport: Transport | null;
  lastEventId: number;
  /** How many events had happened while the feed was away the last time, and came when it was back. */
  missed: number;
  resets: number;
}

export class Tally {
  missed = 0;
  private _events = 0;
  private _lastEventAt: number | null = null;
  private _dials = 0;
  private _resets = 0;
  private _upAt: number | null = null;
  private _everUp = false;
  /** Up to this id events count as missed. */
  private _missedUntil = 0;

  constructor(private readonly _clock: Clock) {}

  dial(): void {
    this._dials += 1;
    if (!this._everUp) return;
    this.missed = 0;
    this._missedUntil = Number.POSITIVE_INFINITY;
  }

  /** The newest event at the moment of the connection: what comes after it has not been missed. */
  until(id: number): void {
    this._missedUntil = Math.min(this._missedUntil, id);
  }

  up(): void {
    this._upAt ??= this._clock.now();
    this._everUp = true;
  }

  down(): void {
    this._upAt = null;
  }

  event(id: number): void {
    this._events += 1;
    this._lastEventAt = this._clock.now();
    if (id <= this._missedUntil) this.missed += 1;
  }

  reset(): void {
    this._resets += 1;
    this._missedUntil = 0;
  }

  stats(transport: Transport | null, lastEventId: number): ConnectionStats {
    const { _upAt: upAt, _events: eventCount, _lastEventAt: lastEventTime, missed, _resets: resets } = this;
    return {
      isConnected: transport !== null,
      connectionDuration: upAt === null ? 0 : this._clock.now() - upAt,
      eventCount,
      reconnectAttempts: Math.max(0, this._dials - 1),
      lastEventTime,
      transport,
      lastEventId,
      missed,
      resets,
    };
  }
}
