// How far a feed has been read: the last id to resume from, and the last seq to prove that nothing is missing.
import type { FeedEvent } from "./types";

export type Verdict = "next" | "known" | "gap";

/** After so many holes that nobody could fill, this feed's seq is not dense: stop looking. */
const TRUST_LOST_AFTER = 3;

export class Cursor {
  epoch: string | null;
  lastId: number;
  /** Events that are proved lost: named by a hole in seq that could not be filled. */
  missed = 0;
  private _lastSeq: number | null = null;
  private _unfilled = 0;

  constructor(after: number, epoch: string | null = null) {
    this.lastId = after;
    this.epoch = epoch;
  }

  judge(event: FeedEvent): Verdict {
    if (event.id <= this.lastId) return "known";
    return this._holeBefore(event) > 0 && this._unfilled < TRUST_LOST_AFTER ? "gap" : "next";
  }

  advance(event: FeedEvent): void {
    const hole = this._holeBefore(event);
    if (hole > 0) {
      this.missed += hole;
      this._unfilled += 1;
    }
    this.lastId = event.id;
    if (typeof event.seq === "number") this._lastSeq = event.seq;
  }

  /** The log started anew: what was read so far says nothing about what follows. */
  forget(epoch: string | null): void {
    this.epoch = epoch;
    this.lastId = 0;
    this._lastSeq = null;
    this._unfilled = 0;
  }

  private _holeBefore(event: FeedEvent): number {
    if (this._lastSeq === null || typeof event.seq !== "number") return 0;
    return Math.max(0, event.seq - this._lastSeq - 1);
  }
}
