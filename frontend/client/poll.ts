// Asks for new events again and again: often while something happens, seldom while nothing does.
import { type BackoffOptions, backoffMs } from "./backoff";
import { Alarm, type Clock } from "./clock";
import { HttpError } from "./http";

export interface PollHandlers {
  /** Fetches and applies what is new; true when there was something, or something is expected soon. */
  poll(): Promise<boolean>;
  /** `recovered`: the request before this one had failed, so the server has just come back. */
  onWorking(recovered: boolean): void;
  onTrouble(error: HttpError): void;
}

export const POLL_BUSY_MS = 1_000;
export const POLL_IDLE_MS = 5_000;

const trouble: BackoffOptions = { baseMs: 1_000, capMs: 30_000, floorMs: 500 };

export class Poller {
  private readonly alarm: Alarm;
  private failures = 0;
  private waitMs = POLL_BUSY_MS;
  private asking = false;
  private over = false;

  constructor(
    clock: Clock,
    private readonly random: () => number,
    private readonly handlers: PollHandlers,
  ) {
    this.alarm = new Alarm(clock);
  }

  /** Asks now instead of at the next beat. */
  nudge(): void {
    this.waitMs = POLL_BUSY_MS;
    if (!this.over && !this.asking) this.alarm.set(0, () => void this.ask());
  }

  stop(): void {
    this.over = true;
    this.alarm.clear();
  }

  private async ask(): Promise<void> {
    this.asking = true;
    const waitMs = await this.round();
    this.asking = false;
    if (!this.over) this.alarm.set(waitMs, () => void this.ask());
  }

  private async round(): Promise<number> {
    try {
      const busy = await this.handlers.poll();
      const recovered = this.failures > 0;
      this.failures = 0;
      if (!this.over) this.handlers.onWorking(recovered);
      this.waitMs = busy ? POLL_BUSY_MS : Math.min(POLL_IDLE_MS, this.waitMs * 1.5);
      return this.waitMs;
    } catch (error) {
      this.failures += 1;
      const problem = error instanceof HttpError ? error : new HttpError(0, String(error));
      if (!this.over) this.handlers.onTrouble(problem);
      return Math.max(problem.retryAfterMs ?? 0, backoffMs(this.failures, this.random, trouble));
    }
  }
}
