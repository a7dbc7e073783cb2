// Reads a feed without loss or repeat: drops what it knows, holds back what comes behind a hole until the hole is filled.
import type { EventQuery } from "./api";
import type { Clock } from "./clock";
import { Cursor } from "./cursor";
import { emptyState, type FeedState, fold, foldEvent } from "./fold";
import { isEvent } from "./frame";
import type { EventPage, FeedEvent, Frame } from "./types";

export interface ReaderHandlers {
  fetchPage(query: EventQuery): Promise<EventPage>;
  onEvent(event: FeedEvent): void;
  onChange(): void;
  onReset(reason: string | null): void;
  /** Whether the server can reach its event bus; without it nothing goes on, and what is kept is all that is told. */
  onBus(away: boolean): void;
  /** A hole could not be asked for: the connection must start again from the cursor. */
  onStuck(): void;
}

const REPAIR_TRIES = 2;
const REPAIR_PAUSE_MS = 400;
const MAX_HELD = 5_000;
const MAX_PAGES = 1_000;

export class Reader {
  state: FeedState = emptyState;
  readonly cursor: Cursor;
  /** Events taken since the start, whichever way they came. */
  taken = 0;
  private held: FeedEvent[] | null = null;
  /** Counts the resets, so that a late reply from before one is not taken for news. */
  private life = 0;

  constructor(
    after: number,
    epoch: string | null,
    private readonly clock: Clock,
    private readonly handlers: ReaderHandlers,
  ) {
    this.cursor = new Cursor(after, epoch);
  }

  hear(frame: Frame): void {
    switch (frame.type) {
      case "connection":
        this.meetEpoch(frame.epoch);
        return;
      case "hello":
        this.meetEpoch(frame.epoch);
        if (frame.after > this.cursor.lastId) void this.refetch().catch(() => undefined);
        return;
      case "reset":
        this.reset(frame.reason ?? null, frame.epoch ?? null);
        return;
      case "event":
        this.hearEvent(frame.event);
        return;
      case "bus":
        this.handlers.onBus(frame.status === "away");
        return;
      default:
        this.become(fold(this.state, frame));
    }
  }

  /** Asks over HTTP for everything behind the cursor; how many events were new. */
  async fetchBehind(): Promise<number> {
    let count = 0;
    for (let turn = 0; turn < MAX_PAGES; turn += 1) {
      const { lastId, epoch } = this.cursor;
      const life = this.life;
      const page = await this.handlers.fetchPage({ after: lastId, epoch });
      if (life !== this.life) return count;
      this.handlers.onBus(page.epoch === null);
      // From the very start there is nothing left to forget: a reset then would be told for ever.
      if (page.reset && (lastId > 0 || epoch !== null)) this.reset(page.reason ?? null, page.epoch ?? null);
      else this.meetEpoch(page.epoch);
      if (life !== this.life) continue;
      count += this.takePage(page.events);
      if (!page.has_more || this.cursor.lastId === lastId) break;
    }
    return count;
  }

  /** The same, while what the socket brings waits its turn. */
  async refetch(): Promise<void> {
    if (this.held) return;
    const held: FeedEvent[] = [];
    this.held = held;
    try {
      await this.fetchBehind();
    } finally {
      if (this.held === held) {
        this.held = null;
        for (const event of held) this.hearEvent(event);
      }
    }
  }

  /** Forgets what waits behind a hole: the next connection brings it again. */
  dropHeld(): void {
    this.held = null;
  }

  private takePage(events: readonly FeedEvent[]): number {
    const fresh = events.filter((event) => isEvent(event) && event.id > this.cursor.lastId);
    for (const event of fresh) this.take(event);
    return fresh.length;
  }

  private hearEvent(event: FeedEvent): void {
    if (this.held) {
      this.hold(this.held, event);
      return;
    }
    const verdict = this.cursor.judge(event);
    if (verdict === "next") this.take(event);
    if (verdict === "gap") {
      this.held = [event];
      void this.repair(this.held);
    }
  }

  private hold(held: FeedEvent[], event: FeedEvent): void {
    held.push(event);
    if (held.length > MAX_HELD) this.giveUp();
  }

  private async repair(held: FeedEvent[]): Promise<void> {
    const open = () => this.held === held && held[0] !== undefined && this.cursor.judge(held[0]) === "gap";
    try {
      for (let turn = 0; turn < REPAIR_TRIES && open(); turn += 1) {
        if (turn > 0) await this.pause(REPAIR_PAUSE_MS);
        if (open()) await this.fetchBehind();
      }
    } catch {
      if (this.held === held) this.giveUp();
      return;
    }
    if (this.held !== held) return;
    this.held = null;
    for (const event of held) if (this.cursor.judge(event) !== "known") this.take(event);
  }

  private giveUp(): void {
    this.held = null;
    this.handlers.onStuck();
  }

  private take(event: FeedEvent): void {
    this.taken += 1;
    this.cursor.advance(event);
    this.state = foldEvent(this.state, event);
    this.handlers.onEvent(event);
    this.handlers.onChange();
  }

  private become(next: FeedState): void {
    if (next === this.state) return;
    this.state = next;
    this.handlers.onChange();
  }

  private meetEpoch(epoch: string | null | undefined): void {
    if (!epoch) return;
    if (this.cursor.epoch !== null && this.cursor.epoch !== epoch) this.reset("epoch", epoch);
    else this.cursor.epoch = epoch;
  }

  private reset(reason: string | null, epoch: string | null): void {
    this.life += 1;
    this.held = null;
    this.cursor.forget(epoch);
    this.become(emptyState);
    this.handlers.onReset(reason);
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.setTimeout(resolve, ms));
  }
}
