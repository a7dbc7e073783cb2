// Lists that the browser remembers: the conversations held here, and what the reader thought of answers.
import type { Rating } from "./api";

/** Where a list is kept; null for what was never written. */
export interface Box {
  read(key: string): string | null;
  write(key: string, value: string): void;
}

/** A conversation as the list shows it: its first question, and when the last one was asked. */
export interface Held {
  sessionId: string;
  title: string;
  askedAt: number;
}

interface Opinion {
  messageId: string;
  rating: Rating;
}

const HELD = "spanfeed.conversations";
const OPINIONS = "spanfeed.opinions";
const MAX_HELD = 50;
const MAX_OPINIONS = 200;
const MAX_TITLE = 120;

export class Lists {
  constructor(private readonly box: Box) {}

  /** The conversation spoken in last comes first. */
  held(): Held[] {
    return this.list(HELD, isHeld);
  }

  /** Something was asked in a conversation; its first question stays its title. */
  hold({ sessionId, title, askedAt }: Held): void {
    const all = this.held();
    const known = all.find((one) => one.sessionId === sessionId);
    const entry = { sessionId, title: known?.title || title.trim().slice(0, MAX_TITLE), askedAt };
    const sorted = [entry, ...all.filter((one) => one !== known)].sort((one, other) => other.askedAt - one.askedAt);
    this.keep(HELD, sorted.slice(0, MAX_HELD));
  }

  drop(sessionId: string): void {
    const all = this.held();
    const left = all.filter((one) => one.sessionId !== sessionId);
    if (left.length < all.length) this.keep(HELD, left);
  }

  opinion(messageId: string): Rating | null {
    return this.opinions().find((one) => one.messageId === messageId)?.rating ?? null;
  }

  rememberOpinion(messageId: string, rating: Rating): void {
    const others = this.opinions().filter((one) => one.messageId !== messageId);
    this.keep(OPINIONS, [...others, { messageId, rating }].slice(-MAX_OPINIONS));
  }

  private opinions(): Opinion[] {
    return this.list(OPINIONS, isOpinion);
  }

  private list<T>(key: string, fits: (item: unknown) => item is T): T[] {
    return readList(this.box.read(key), fits);
  }

  private keep(key: string, list: readonly unknown[]): void {
    this.box.write(key, JSON.stringify(list));
  }
}

/** What was written is the reader's to change: whatever does not fit is left out. */
export function readList<T>(text: string | null, fits: (item: unknown) => item is T): T[] {
  try {
    const list: unknown = JSON.parse(text || "[]");
    return Array.isArray(list) ? list.filter(fits) : [];
  } catch {
    return [];
  }
}

function isHeld(item: unknown): item is Held {
  const { sessionId, title, askedAt } = (item ?? {}) as Partial<Held>;
  return typeof sessionId === "string" && typeof title === "string" && typeof askedAt === "number";
}

function isOpinion(item: unknown): item is Opinion {
  const { messageId, rating } = (item ?? {}) as Partial<Opinion>;
  return typeof messageId === "string" && (rating === "up" || rating === "down");
}
