// How long to wait before the next try: exponential, bounded, with full jitter so that clients do not come back as one.

export interface BackoffOptions {
  baseMs: number;
  capMs: number;
  floorMs: number;
}

export const socketBackoff: BackoffOptions = { baseMs: 500, capMs: 30_000, floorMs: 100 };

/** While polling works there is no hurry to find the WebSocket again. */
export const probeBackoff: BackoffOptions = { baseMs: 10_000, capMs: 60_000, floorMs: 5_000 };

export function backoffMs(failures: number, random: () => number, options: BackoffOptions = socketBackoff): number {
  const ceiling = Math.min(options.capMs, options.baseMs * 2 ** Math.min(Math.max(failures - 1, 0), 20));
  return Math.max(options.floorMs, Math.round(random() * ceiling));
}
