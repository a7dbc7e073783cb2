// Notices that a connection has gone silent. Timers that a hidden or sleeping page holds back are no proof of that.
import { Alarm, type Clock } from "./clock";

export interface Watched {
  /** So long a silence is nothing unusual. */
  patienceMs(): number;
  /** Asks the other side for a sign of life, where the transport lets one ask. */
  ask(): void;
  onDead(): void;
}

export const ANSWER_MS = 10_000;
/** Whoever asks at once, since somebody has come back to the page, will not wait as long. */
export const CHECK_MS = 5_000;
/** A timer so late was held back: what has come meanwhile may stand in the queue behind it. */
const LATE_MS = 2_000;

export class Watch {
  private readonly _alarm: Alarm;
  private _heardAt = 0;
  private _answered = false;

  constructor(
    private readonly _clock: Clock,
    private readonly _watched: Watched,
  ) {
    this._alarm = new Alarm(_clock);
  }

  heard(): void {
    this._heardAt = this._clock.now();
    this._answered = true;
    if (!this._alarm.pending) this._look();
  }

  get silentMs(): number {
    return this._clock.now() - this._heardAt;
  }

  /** Asks now, and says that the line is dead when nothing comes within that time. */
  ask(withinMs: number): void {
    const dueAt = this._clock.now() + withinMs;
    this._answered = false;
    this._alarm.set(withinMs, () => {
      if (this._answered) this._look();
      else if (this._clock.now() > dueAt + LATE_MS) this.ask(withinMs);
      else this._watched.onDead();
    });
    this._watched.ask();
  }

  stop(): void {
    this._alarm.clear();
  }

  private _look(): void {
    const leftMs = this._watched.patienceMs() - this.silentMs;
    if (leftMs > 0) this._alarm.set(leftMs, () => this._look());
    else this.ask(ANSWER_MS);
  }
}
