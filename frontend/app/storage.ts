// What the browser remembers between two loads of the page; without storage it remembers until the page is closed.
import { type Box, Lists, readList } from "./lists";
import { newTurn, type Turn } from "./turns";

export interface Store {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

const SESSION = "spanfeed.session";
const LANGUAGE = "spanfeed.language";
const ASKED = "spanfeed.asked";
const SPOKEN = "spanfeed.spoken";
const DRAFT = "spanfeed.draft";
const MAX_ASKED = 20;

interface Asked {
  sessionId: string;
  messageId: string;
  question: string;
  askedAt: number | null;
  retryOf?: string | null;
}

export class Memory implements Box {
  readonly lists = new Lists(this);
  private readonly fallback = new Map<string, string>();

  /** `tab` forgets when its tab is closed: what is written in two tabs at once must not be mixed. */
  constructor(
    private readonly store: Store | null,
    private readonly tab: Store | null = null,
  ) {}

  get session(): string | null {
    return this.read(SESSION) || null;
  }

  set session(id: string | null) {
    this.write(SESSION, id ?? "");
  }

  get language(): string | null {
    return this.read(LANGUAGE);
  }

  set language(language: string | null) {
    this.write(LANGUAGE, language ?? "");
  }

  /** What has been written, and not been sent yet. */
  get draft(): string {
    return this.read(DRAFT, this.tab) ?? "";
  }

  set draft(text: string) {
    this.write(DRAFT, text, this.tab);
  }

  /** Whether anything was said in the session: one in which nothing was has no history to ask for. */
  hasSpoken(sessionId: string): boolean {
    return this.read(SPOKEN) === sessionId || this.lists.held().some((one) => one.sessionId === sessionId);
  }

  rememberSpoken(sessionId: string): void {
    if (!this.hasSpoken(sessionId)) this.write(SPOKEN, sessionId);
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
    return readList(this.read(ASKED), isAsked);
  }

  private setAsked(list: readonly Asked[]): void {
    this.write(ASKED, JSON.stringify(list));
  }

  read(key: string, store = this.store): string | null {
    try {
      return store ? store.getItem(key) : (this.fallback.get(key) ?? null);
    } catch {
      return this.fallback.get(key) ?? null;
    }
  }

  write(key: string, value: string, store = this.store): void {
    this.fallback.set(key, value);
    try {
      store?.setItem(key, value);
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
    return new Memory(window.localStorage, window.sessionStorage);
  } catch {
    return new Memory(null);
  }
}
