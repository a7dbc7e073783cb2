// What a reader asks for on a card: to stop an answer, or to try again. What became of it is told by the feed alone.
import type { Accepted, Api } from "../client";
import { problemOf } from "./problem";
import type { Deed, Turn, Wish } from "./turns";

export interface DeedHandlers {
  turn(messageId: string): Turn | undefined;
  onWish(messageId: string, wish: Wish | null): void;
  /** The server has stopped it: the ending is on its way. */
  onStopped(): void;
  /** It had ended before: this page has missed the ending. */
  onOver(): void;
  /** Shows the turn once `send` has brought the id of its message. */
  accept(turn: Pick<Turn, "question" | "retryOf">, send: () => Promise<Accepted>): Promise<void>;
}

const ended: readonly string[] = ["completed", "failed", "cancelled"];

export class Deeds {
  constructor(
    private readonly api: Api,
    private readonly sessionId: string,
    private readonly handlers: DeedHandlers,
  ) {}

  /** The wish lasts until the message has ended; a refusal takes it back. */
  async stop(messageId: string): Promise<void> {
    await this.wish("stop", messageId, async () => {
      const { cancelled, status } = await this.api.cancel(this.sessionId, messageId);
      if (cancelled) this.handlers.onStopped();
      else if (ended.includes(status)) this.handlers.onOver();
      else this.refuse("stop", messageId, { status: 409, detail: "", retryAfterMs: null });
    });
  }

  async tryAgain(messageId: string): Promise<void> {
    await this.wish("retry", messageId, async ({ question }) => {
      await this.handlers.accept({ question, retryOf: messageId }, () => this.api.retry(this.sessionId, messageId));
      this.handlers.onWish(messageId, null);
    });
  }

  private async wish(deed: Deed, messageId: string, send: (turn: Turn) => Promise<void>): Promise<void> {
    const turn = this.handlers.turn(messageId);
    if (!turn || isUnderWay(turn, deed)) return;
    this.handlers.onWish(messageId, { deed, problem: null });
    try {
      await send(turn);
    } catch (error) {
      this.refuse(deed, messageId, problemOf(error));
    }
  }

  private refuse(deed: Deed, messageId: string, problem: Wish["problem"]): void {
    this.handlers.onWish(messageId, { deed, problem });
  }
}

export function isUnderWay({ wish }: Turn, deed: Deed): boolean {
  return wish?.deed === deed && wish.problem === null;
}
