// Figures and times as one reads them, in the reader's language.
import { formatDuration } from "../app/duration";

const made = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat>();

/** Formats are dear to make and cheap to use. */
function kept<Format extends Intl.NumberFormat | Intl.DateTimeFormat>(name: string, make: () => Format): Format {
  const found = (made.get(name) as Format | undefined) ?? make();
  made.set(name, found);
  return found;
}

export const NOTHING = "–";

export interface Figures {
  count(value: number | null | undefined): string;
  /** For the few letters beside an axis: 1.2K. */
  short(value: number | null | undefined): string;
  share(value: number | null | undefined): string;
  duration(ms: number | null | undefined): string;
  bytes(value: number | null | undefined): string;
  /** A day and a time to the second. */
  moment(time: string | number | null | undefined): string;
  /** The same to the millisecond, without the year. */
  exact(time: string): string;
  /** As much of a time as an axis or a table over so long a range needs. */
  tick(timeMs: number, rangeMs: number): string;
}

const UNITS = ["B", "kB", "MB", "GB", "TB"];
const EXACT: Intl.DateTimeFormatOptions = {
  month: "numeric",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
};
const DAY_MS = 86_400_000;

export function figures(language: string): Figures {
  const number = (digits: number) =>
    kept(`n${language}${digits}`, () => new Intl.NumberFormat(language, { maximumFractionDigits: digits }));
  const short = kept(`k${language}`, () => new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 }));
  const percent = kept(`p${language}`, () => new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 }));
  const date = (options: Intl.DateTimeFormatOptions) =>
    kept(`d${language}${JSON.stringify(options)}`, () => new Intl.DateTimeFormat(language, options));
  const known = (say: (value: number) => string) => (value: number | null | undefined) =>
    typeof value === "number" && Number.isFinite(value) ? say(value) : NOTHING;
  return {
    count: known((value) => number(Math.abs(value) < 10 ? 2 : 0).format(value)),
    short: known((value) => short.format(value)),
    share: known((value) => percent.format(value)),
    duration: known((ms) => (ms > 0 && ms < 10 ? `${number(1).format(ms)} ms` : formatDuration(ms, language))),
    bytes: known((value) => {
      const power = value < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(value) / 3));
      return `${number(power > 0 ? 1 : 0).format(value / 1000 ** power)} ${UNITS[power]}`;
    }),
    moment: (time) => {
      const parsed = typeof time === "string" ? Date.parse(time) : (time ?? Number.NaN);
      return Number.isFinite(parsed) ? date({ dateStyle: "short", timeStyle: "medium" }).format(parsed) : NOTHING;
    },
    exact: (time) => {
      const parsed = Date.parse(time);
      return Number.isFinite(parsed) ? date(EXACT).format(parsed) : NOTHING;
    },
    tick: (timeMs, rangeMs) => {
      const clock = { hour: "2-digit", minute: "2-digit" } as const;
      const day = { day: "numeric", month: "short" } as const;
      if (rangeMs <= DAY_MS) return date(clock).format(timeMs);
      return date(rangeMs <= 7 * DAY_MS ? { ...day, ...clock } : day).format(timeMs);
    },
  };
}
