// How far a user's stream has been read: where to go on from, and which events have been told already.
import type { SSEEvent } from "./event";

export class Position {
  /** Null before the server has said where it begins. */
  lastId: number | null = null;
  private _epoch: string | null = null;
  /** Events up to here have been told before a log was read again from its beginning. */
  private _oldUntil = 0;

  /** The present event is told for the first time, not again because the log is read from its beginning. */
  get isNews(): boolean {
    return (this.lastId ?? 0) > this._oldUntil;
  }

  query(userId: string | undefined): string {
    const asked = new URLSearchParams();
    if (this.lastId !== null) asked.set("after", String(this.lastId));
    if (this.lastId !== null && this._epoch) asked.set("epoch", this._epoch);
    if (userId !== undefined) asked.set("user_id", userId);
    return asked.size > 0 ? `?${asked}` : "";
  }

  /** What the server says of the connection. */
  meet(news: string, { id, data }: SSEEvent): void {
    const epoch = typeof data["epoch"] === "string" ? data["epoch"] : this._epoch;
    if (news === "established") this.lastId = Math.max(epoch === this._epoch ? (this.lastId ?? 0) : 0, Number(id) || 0);
    else if (news === "reset") this.lastId = 0;
    else if (news === "hello") this.lastId = Number(data["after"]) || 0;
    else return;
    if (news === "reset") this._oldUntil = Number(data["last_id"]) || 0;
    else if (epoch !== this._epoch) this._oldUntil = 0;
    this._epoch = epoch;
  }

  /** False for an event that has been told already. */
  advance({ id }: SSEEvent): boolean {
    const number = Number(id);
    if (!Number.isSafeInteger(number)) return true;
    if (number <= (this.lastId ?? -1)) return false;
    this.lastId = number;
    return true;
  }
}
