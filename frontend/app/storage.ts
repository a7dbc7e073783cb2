// What the browser remembers between two loads of the page; without storage it remembers until the page is closed.
import { newTurn, type Turn } from "./turns";

export interface Store {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

const SESSION = "spanfeed.session";
const LANGUAGE = "spanfeed.language";
const ASKED = "spanfeed.asked";
const SPOKEN = "spanfeed.spoken";
const MAX_ASKED = 20;

interface Asked {
  sessionId: string;
  messageId: string;
  question: string;
  askedAt: number | null;
  retryOf?: string | null;
}

export class Memory {
  private readonly fallback = new Map<string, string>();

  constructor(private readonly store: Store | null) {}

  get session(): string | null {
    return this.get(SESSION) || null;
  }

  set session(id: string | null) {
    this.set(SESSION, id ?? "");
  }

  get language(): string | null {
    return this.get(LANGUAGE);
  }

  set language(language: string | null) {
    this.set(LANGUAGE, language ?? "");
  }

  /** Whether anything was said in the session: one in which nothing was has no history to ask for. */
  hasSpoken(sessionId: string): boolean {
    return this.get(SPOKEN) === sessionId;
  }

  rememberSpoken(sessionId: string): void {
    if (!this.hasSpoken(sessionId)) this.set(SPOKEN, sessionId);
  }

  /** Questions under way, which the server's history may not hold before they are answered. */
  asked(sessionId: string): Turn[] {
    return this.askedList()
      .filter((item) => item.sessionId === sessionId)
      .map(({ messageId, question, askedAt, retryOf = null }) =>
        newTurn({ key: messageId, messageId, question, askedAt, retryOf }),
      );
  }

  rememberAsked(sessionId: string, turn: Turn): void {
    const { messageId, question, askedAt, retryOf } = turn;
    if (messageId === null || question === null) return;
    this.setAsked([...this.askedList(), { sessionId, messageId, question, askedAt, retryOf }].slice(-MAX_ASKED));
  }

  forgetAsked(messageIds: ReadonlySet<string | null>): void {
    const all = this.askedList();
    const left = all.filter((item) => !messageIds.has(item.messageId));
    if (left.length < all.length) this.setAsked(left);
  }

  private askedList(): Asked[] {
    try {
      const list: unknown = JSON.parse(this.get(ASKED) ?? "[]");
      return Array.isArray(list) ? list.filter(isAsked) : [];
    } catch {
      return [];
    }
  }

  private setAsked(list: readonly Asked[]): void {
    this.set(ASKED, JSON.stringify(list));
  }

  private get(key: string): string | null {
    try {
      return this.store ? this.store.getItem(key) : (this.fallback.get(key) ?? null);
    } catch {
      return this.fallback.get(key) ?? null;
    }
  }

  private set(key: string, value: string): void {
    this.fallback.set(key, value);
    try {
      this.store?.setItem(key, value);
    } catch {
      // Storage is full or forbidden: the fallback has it.
    }
  }
}

function isAsked(item: unknown): item is Asked {
  const { sessionId, messageId, question } = (item ?? {}) as Partial<Asked>;
  return [sessionId, messageId, question].every((value) => typeof value === "string");
}

export function browserMemory(): Memory {
  try {
    return new Memory(window.localStorage);
  } catch {
    return new Memory(null);
  }
}
