// Durations as one says them: 240 ms, 2.1 s, 1 min 5 s.

function seconds(value: number, language: string): string {
  const tenths = { minimumFractionDigits: 1, maximumFractionDigits: 1 };
  return `${new Intl.NumberFormat(language, tenths).format(value)} s`;
}

export function formatDuration(ms: number, language: string): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return seconds(ms / 1000, language);
  const whole = Math.round(ms / 1000);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** While it runs, tenths of a second are enough: milliseconds would flicker, not inform. */
export function formatRunning(ms: number, language: string): string {
  const tenths = Math.floor(Math.max(0, ms) / 100) / 10;
  return tenths < 59.9 ? seconds(tenths, language) : formatDuration(tenths * 1000, language);
}
