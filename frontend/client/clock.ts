// Time as the client sees it, so that a test can hold it in its hand.

export type Timer = { readonly timer: unique symbol };

export interface Clock {
  now(): number;
  setTimeout(run: () => void, ms: number): Timer;
  clearTimeout(timer: Timer): void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (run, ms) => globalThis.setTimeout(run, ms) as unknown as Timer,
  clearTimeout: (timer) => globalThis.clearTimeout(timer as unknown as number),
};

/** At most one pending call: setting it again replaces what was pending. */
export class Alarm {
  private _timer: Timer | null = null;

  constructor(private readonly _clock: Clock) {}

  get pending(): boolean {
    return this._timer !== null;
  }

  set(ms: number, run: () => void): void {
    this.clear();
    this._timer = this._clock.setTimeout(() => {
      this._timer = null;
      run();
    }, ms);
  }

  clear(): void {
    if (this._timer !== null) this._clock.clearTimeout(this._timer);
    this._timer = null;
  }
}
