// The feed over plain requests: each waits at the server for news; where the server does not wait, often while
// something happens and seldom while nothing does.
import { Alarm, type Clock } from "./clock";
import { HttpError } from "./http";
import type { Line, LineHandlers } from "./line";

/** How long a request may wait at the server: below the patience of common proxies. */
export const WAIT_SECONDS = 25;
export const POLL_BUSY_MS = 1_000;
export const POLL_IDLE_MS = 5_000;

/** Events come in groups: one request for each would be many. */
const GROUP_MS = 200;
/** An empty answer so soon was not waited for: an older server, or one that cannot wait just now. */
const AT_ONCE_MS = 1_000;
const DEADLINE_MS = WAIT_SECONDS * 1000 + 15_000;

export interface Ask {
  /** Fetches and applies what is new; how many events that was. */
  (waitSeconds: number, signal: AbortSignal): Promise<number>;
}

export class Poll implements Line {
  private readonly _alarm: Alarm;
  private _control = new AbortController();
  private _pauseMs = POLL_BUSY_MS;
  /** The first request does not wait: its answer says that polling works. */
  private _waitSeconds = 0;
  private _over = false;

  constructor(
    private readonly _ask: Ask,
    /** Whether something is expected soon. */
    private readonly _busy: () => boolean,
    private readonly _clock: Clock,
    private readonly _handlers: LineHandlers,
  ) {
    this._alarm = new Alarm(_clock);
    this.check();
  }

  /** Asks now: a request that still waits may have been waiting on a line that is dead. */
  check(): void {
    this._pauseMs = POLL_BUSY_MS;
    this._waitSeconds = 0;
    this._control.abort();
    this._control = new AbortController();
    this._alarm.set(0, () => void this._round(this._control));
  }

  close(): void {
    this._over = true;
    this._alarm.clear();
    this._control.abort();
  }

  private async _round(control: AbortController): Promise<void> {
    const since = this._clock.now();
    this._alarm.set(DEADLINE_MS, () => control.abort());
    const { _waitSeconds: waitSeconds } = this;
    try {
      const count = await this._ask(waitSeconds, control.signal);
      if (control !== this._control || this._over) return;
      this._waitSeconds = WAIT_SECONDS;
      this._handlers.onLive();
      if (this._over) return;
      const pauseMs = waitSeconds ? this._pauseAfter(count, this._clock.now() - since) : 0;
      this._alarm.set(pauseMs, () => void this._round(control));
    } catch (error) {
      if (control !== this._control || this._over) return;
      this.close();
      const { status: code, retryAfterMs: waitMs } = error instanceof HttpError ? error : new HttpError(0, "");
      this._handlers.onLost({ code, waitMs });
    }
  }

  private _pauseAfter(count: number, tookMs: number): number {
    if (count > 0 || tookMs >= AT_ONCE_MS) {
      this._pauseMs = POLL_BUSY_MS;
      return count > 0 ? GROUP_MS : 0;
    }
    const { _pauseMs: pauseMs } = this;
    this._pauseMs = this._busy() ? POLL_BUSY_MS : Math.min(POLL_IDLE_MS, pauseMs * 1.5);
    return pauseMs;
  }
}
