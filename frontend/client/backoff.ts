// How long to wait before the next try: exponential, bounded, with full jitter so that clients do not come back as one.

export interface BackoffOptions {
  baseMs: number;
  capMs: number;
  floorMs: number;
}

export const socketBackoff: BackoffOptions = { baseMs: 500, capMs: 30_000, floorMs: 100 };

/** While a lesser transport works there is no hurry to find a better one again. */
export const climbBackoff: BackoffOptions = { baseMs: 10_000, capMs: 60_000, floorMs: 5_000 };

/** Credentials that were refused, or a client that was too loud: asking again soon would not help. */
export const refusedBackoff: BackoffOptions = { baseMs: 30_000, capMs: 300_000, floorMs: 15_000 };

const SPREAD_MS = 5_000;

/** At least as long as the server asks for; many clients that were told the same do not come back as one. */
export function hintedMs(hintMs: number, random: () => number): number {
  return hintMs + Math.round(random() * Math.min(hintMs, SPREAD_MS));
}

export function backoffMs(failures: number, random: () => number, options: BackoffOptions = socketBackoff): number {
  const ceiling = Math.min(options.capMs, options.baseMs * 2 ** Math.min(Math.max(failures - 1, 0), 20));
  return Math.max(options.floorMs, Math.round(random() * ceiling));
}
