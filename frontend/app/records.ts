// Fetches what the server has recorded of messages: once they have ended, or when the feed has been silent about them.
import { type Api, HttpError, type MessageDocument } from "../client";
import type { Clock } from "../client/clock";
import { type Outcome, outcomeOf } from "./turns";

/** The terminal event may be a moment ahead of the record. */
const PAUSES_MS = [200, 500, 1_000, 3_000, 10_000, 30_000];

/** So often an ending without a reason is taken for one that is still being written down. */
const EARLY_LOOKS = 3;

export interface RecordHandlers {
  onOutcome(messageId: string, outcome: Outcome): void;
  /** Not to be had at the first try; it is tried again. */
  onMissing(messageId: string): void;
  /** The server has never heard of it. */
  onUnknown(messageId: string): void;
  onRefused(): void;
}

export class Records {
  private readonly underWay = new Set<string>();
  private readonly early = new Map<string, number>();
  private over = false;

  constructor(
    private readonly api: Api,
    private readonly sessionId: string,
    private readonly clock: Clock,
    private readonly handlers: RecordHandlers,
  ) {}

  close(): void {
    this.over = true;
  }

  /** The message has ended: brings its record. */
  async settle(messageId: string): Promise<void> {
    if (this.underWay.has(messageId)) return;
    this.underWay.add(messageId);
    for (const pause of PAUSES_MS) {
      const outcome = await this.look(messageId);
      if (this.over || outcome) return;
      this.handlers.onMissing(messageId);
      await new Promise<void>((resolve) => this.clock.setTimeout(resolve, pause));
      if (this.over) return;
    }
    this.underWay.delete(messageId);
  }

  /** Nobody knows how the message stands: asks once. */
  async check(messageId: string): Promise<void> {
    if (!this.underWay.has(messageId)) await this.look(messageId);
  }

  private async look(messageId: string): Promise<Outcome | null> {
    try {
      const record = await this.api.message(this.sessionId, messageId);
      if (this.isEarly(messageId, record)) return null;
      const outcome = outcomeOf(record);
      if (outcome && !this.over) this.handlers.onOutcome(messageId, outcome);
      return outcome;
    } catch (error) {
      if (error instanceof HttpError && !this.over) this.excuse(messageId, error);
      return null;
    }
  }

  /** The server knows how a message ended a moment before it has stored why, and what had been said. */
  private isEarly(messageId: string, { status, reason, error_message }: MessageDocument): boolean {
    if (reason || error_message || (status !== "failed" && status !== "cancelled")) return false;
    const looks = (this.early.get(messageId) ?? 0) + 1;
    this.early.set(messageId, looks);
    return looks <= EARLY_LOOKS;
  }

  private excuse(messageId: string, error: HttpError): void {
    if (error.refused) this.handlers.onRefused();
    if (error.status === 404) this.handlers.onUnknown(messageId);
  }
}
