// Reads a feed without loss or repeat: drops what it knows, holds back what comes behind a hole until the hole is filled.
import type { EventQuery } from "./api";
import type { Clock } from "./clock";
import { Cursor } from "./cursor";
import { emptyState, type FeedState, fold, foldEvent } from "./fold";
import { isEvent } from "./frame";
import type { EventPage, FeedEvent, Frame } from "./types";

export interface ReaderHandlers {
  fetchPage(query: EventQuery, signal?: AbortSignal): Promise<EventPage>;
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
  private _held: FeedEvent[] | null = null;
  /** Counts the resets, so that a late reply from before one is not taken for news. */
  private _life = 0;

  constructor(
    after: number,
    epoch: string | null,
    private readonly _clock: Clock,
    private readonly _handlers: ReaderHandlers,
  ) {
    this.cursor = new Cursor(after, epoch);
  }

  hear(frame: Frame): void {
    switch (frame.type) {
      case "connection":
        this._meetEpoch(frame.epoch);
        return;
      case "hello":
        this._meetEpoch(frame.epoch);
        if (frame.after > this.cursor.lastId) void this.refetch().catch(() => undefined);
        return;
      case "reset":
        this._reset(frame.reason ?? null, frame.epoch ?? null);
        return;
      case "event":
        this._hearEvent(frame.event);
        return;
      case "bus":
        this._handlers.onBus(frame.status === "away");
        return;
      default:
        this._become(fold(this.state, frame));
    }
  }

  /** Asks over HTTP for everything behind the cursor, if told waits for it; how many events were new. */
  async fetchBehind(waitSeconds = 0, signal?: AbortSignal): Promise<number> {
    let count = 0;
    for (let turn = 0; turn < MAX_PAGES; turn += 1) {
      const { lastId, epoch } = this.cursor;
      const life = this._life;
      const page = await this._handlers.fetchPage({ after: lastId, epoch, waitSeconds }, signal);
      if (life !== this._life || signal?.aborted) return count;
      this._handlers.onBus(page.epoch === null);
      // From the very start there is nothing left to forget: a reset then would be told for ever.
      if (page.reset && (lastId > 0 || epoch !== null)) this._reset(page.reason ?? null, page.epoch ?? null);
      else this._meetEpoch(page.epoch);
      if (life !== this._life) continue;
      count += this._takePage(page.events);
      if (!page.has_more || this.cursor.lastId === lastId || signal?.aborted) break;
    }
    return count;
  }

  /** The same, while what the socket brings waits its turn. */
  async refetch(): Promise<void> {
    if (this._held) return;
    const held: FeedEvent[] = [];
    this._held = held;
    try {
      await this.fetchBehind();
    } finally {
      if (this._held === held) {
        this._held = null;
        for (const event of held) this._hearEvent(event);
      }
    }
  }

  /** Forgets what waits behind a hole: the next connection brings it again. */
  dropHeld(): void {
    this._held = null;
  }

  private _takePage(events: readonly FeedEvent[]): number {
    const fresh = events.filter((event) => isEvent(event) && event.id > this.cursor.lastId);
    for (const event of fresh) this._take(event);
    return fresh.length;
  }

  private _hearEvent(event: FeedEvent): void {
    if (this._held) {
      this._hold(this._held, event);
      return;
    }
    const verdict = this.cursor.judge(event);
    if (verdict === "next") this._take(event);
    if (verdict === "gap") {
      this._held = [event];
      void this._repair(this._held);
    }
  }

  private _hold(held: FeedEvent[], event: FeedEvent): void {
    held.push(event);
    if (held.length > MAX_HELD) this._giveUp();
  }

  private async _repair(held: FeedEvent[]): Promise<void> {
    const open = () => this._held === held && held[0] !== undefined && this.cursor.judge(held[0]) === "gap";
    try {
      for (let turn = 0; turn < REPAIR_TRIES && open(); turn += 1) {
        if (turn > 0) await this._pause(REPAIR_PAUSE_MS);
        if (open()) await this.fetchBehind();
      }
    } catch {
      if (this._held === held) this._giveUp();
      return;
    }
    if (this._held !== held) return;
    this._held = null;
    for (const event of held) if (this.cursor.judge(event) !== "known") this._take(event);
  }

  private _giveUp(): void {
    this._held = null;
    this._handlers.onStuck();
  }

  private _take(event: FeedEvent): void {
    this.taken += 1;
    this.cursor.advance(event);
    this.state = foldEvent(this.state, event);
    this._handlers.onEvent(event);
    this._handlers.onChange();
  }

  private _become(next: FeedState): void {
    if (next === this.state) return;
    this.state = next;
    this._handlers.onChange();
  }

  private _meetEpoch(epoch: string | null | undefined): void {
    if (!epoch) return;
    if (this.cursor.epoch !== null && this.cursor.epoch !== epoch) this._reset("epoch", epoch);
    else this.cursor.epoch = epoch;
  }

  private _reset(reason: string | null, epoch: string | null): void {
    this._life += 1;
    this._held = null;
    this.cursor.forget(epoch);
    this._become(emptyState);
    this._handlers.onReset(reason);
  }

  private _pause(ms: number): Promise<void> {
    return new Promise((resolve) => this._clock.setTimeout(resolve, ms));
  }
}
