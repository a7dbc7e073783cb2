// What a transport offers to whoever keeps the feed alive: one connection, from dialling to its end.
import type { Frame } from "./types";

/** From the best to the last resort; each resumes by the same id and epoch. */
export type Transport = "websocket" | "sse" | "poll";

export interface Loss {
  /** The WebSocket's close code, or HTTP's status; 0: no answer came at all. */
  code: number;
  /** How long the server asks to wait. */
  waitMs?: number | null;
  /** This transport will not do here: try the next one at once. */
  final?: boolean;
}

export interface LineHandlers {
  /** The server has spoken: the connection is more than an accepted request. Polling says so with each answer. */
  onLive(): void;
  onFrame(frame: Frame): void;
  /** Said once; nothing follows. */
  onLost(loss: Loss): void;
}

export interface Line {
  /** Finds out now whether the other side is still there. */
  check(): void;
  close(): void;
}

export const OPENING_MS = 10_000;
const WAIT_CAP_MS = 300_000;

/** A wait that a server names is never without end. */
export function bounded(waitMs: number | null): number | null {
  return waitMs === null ? null : Math.min(waitMs, WAIT_CAP_MS);
}
