// One session's conversation: joins what the server has recorded with what the feed brings live.
import { type Accepted, type Api, type Feed, type FeedState, HttpError } from "../client";
import { Alarm } from "../client/clock";
import type { ChatParts } from "./chat";
import { Deeds } from "./deeds";
import { Records } from "./records";
import { fromHistory, merge, newTurn, noRecord, type Turn, turnState } from "./turns";

export interface ConversationHandlers {
  onChange(): void;
  /** The server does not accept this browser for this session any more. */
  onRefused(conversation: Conversation): void;
}

const LOOK_EVERY_MS = 5_000;
const SILENCE_MS = 15_000;

export class Conversation {
  readonly feed: Feed;
  turns: readonly Turn[];
  private readonly records: Records;
  private readonly deeds: Deeds;
  private readonly watch: Alarm;
  /** When something was last heard of a message that runs. */
  private readonly heardAt = new Map<string, number>();
  private readonly lookedFor = new Set<string>();
  private known: FeedState["messages"] = {};
  private asking = 0;
  private asked = 0;
  private over = false;

  constructor(
    readonly sessionId: string,
    history: readonly Turn[],
    private readonly parts: ChatParts,
    private readonly handlers: ConversationHandlers,
  ) {
    const told = new Set(history.map((turn) => turn.messageId));
    if (history.length > 0) this.listed(history[0]?.question ?? "", history.at(-1)?.askedAt ?? 0);
    parts.memory.forgetAsked(new Set(history.flatMap((turn) => (turn.outcome ? [turn.messageId] : []))));
    this.turns = [...history, ...parts.memory.asked(sessionId).filter((turn) => !told.has(turn.messageId))];
    this.records = new Records(parts.api, sessionId, parts.clock, {
      onOutcome: (id, outcome) => this.change(id, { outcome }),
      onMissing: (id) => this.change(id, { recordMissing: true }),
      onUnknown: (id) => this.unknown(id),
      onRefused: () => handlers.onRefused(this),
    });
    this.deeds = new Deeds(parts.api, sessionId, {
      turn: (id) => this.turns.find(({ messageId }) => messageId === id),
      onWish: (id, wish) => this.change(id, { wish }),
      onStopped: () => this.feed.wake(),
      onOver: () => void this.feed.refresh().catch(() => undefined),
      accept: (turn, send) => this.accept(this.draft(turn), send),
    });
    this.watch = new Alarm(parts.clock);
    this.feed = parts.connect({ sessionId });
    this.feed.subscribe(() => this.listen());
    this.feed.on("reset", () => void this.reload());
    this.feed.on("unauthorized", (status) => void this.refused(status));
    void this.checkOpen();
    this.look();
  }

  static async load(api: Api, sessionId: string): Promise<Turn[]> {
    return fromHistory((await api.history(sessionId)).messages);
  }

  async ask(question: string, language: string): Promise<void> {
    const turn = this.draft({ question, retryOf: null });
    const body = { message: question, session_id: this.sessionId, language };
    this.become([...this.turns, turn]);
    try {
      await this.accept(turn, () => this.parts.api.ask(body));
    } catch (error) {
      this.become(this.turns.filter((other) => other !== turn));
      throw error;
    }
  }

  stop(messageId: string): void {
    void this.deeds.stop(messageId);
  }

  tryAgain(messageId: string): void {
    void this.deeds.tryAgain(messageId);
  }

  /** A turn that the server has not accepted yet. */
  private draft({ question, retryOf }: Pick<Turn, "question" | "retryOf">): Turn {
    this.asked += 1;
    const askedAt = this.parts.clock.now() + this.feed.getSnapshot().clockOffsetMs;
    return newTurn({ key: `asked-${this.asked}`, messageId: null, question, askedAt, retryOf });
  }

  /** Binds the turn to the message the server makes of it; what the feed tells of that meanwhile is not a stranger's. */
  private async accept(turn: Turn, send: () => Promise<Accepted>): Promise<void> {
    this.asking += 1;
    try {
      const { message_id } = await send();
      const bound = { ...turn, messageId: message_id, recorded: true };
      this.listed(turn.question ?? "", turn.askedAt ?? 0);
      this.parts.memory.rememberAsked(this.sessionId, bound);
      this.heardAt.set(message_id, this.parts.clock.now());
      const others = this.turns.filter((other) => other.messageId !== message_id);
      const shown = others.includes(turn);
      this.become(shown ? others.map((other) => (other === turn ? bound : other)) : [...others, bound]);
    } finally {
      this.asking -= 1;
      this.feed.wake();
      this.listen();
    }
  }

  private listed(title: string, askedAt: number): void {
    this.parts.memory.rememberSpoken(this.sessionId);
    this.parts.memory.lists.hold({ sessionId: this.sessionId, title, askedAt });
  }

  close(): void {
    this.over = true;
    this.watch.clear();
    this.records.close();
    this.feed.close();
  }

  private listen(): void {
    if (this.over) return;
    const { messages, order } = this.feed.getSnapshot().state;
    const now = this.parts.clock.now();
    for (const id of order) {
      const message = messages[id];
      if (!message || message === this.known[id]) continue;
      this.heardAt.set(id, now);
    }
    this.known = messages;
    this.adopt(order);
    for (const turn of this.turns) {
      const message = turn.messageId === null ? undefined : messages[turn.messageId];
      if (message && message.state !== "running" && !turn.outcome) void this.records.settle(message.messageId);
    }
    this.handlers.onChange();
  }

  /** Messages this page has not asked: of another tab, or of its own question not yet accepted. */
  private adopt(order: readonly string[]): void {
    if (this.asking > 0) return;
    const told = new Set(this.turns.map((turn) => turn.messageId));
    const strangers = order.filter((id) => !told.has(id));
    if (strangers.length === 0) return;
    const elsewhere = new Map(this.parts.memory.asked(this.sessionId).map((turn) => [turn.messageId, turn]));
    const unnamed = { question: null, askedAt: null };
    const adopted = strangers.map((id) => elsewhere.get(id) ?? newTurn({ key: id, messageId: id, ...unnamed }));
    this.turns = [...this.turns, ...adopted];
    this.parts.memory.rememberSpoken(this.sessionId);
    const unread = strangers.filter((id) => !elsewhere.has(id) && !this.lookedFor.has(id));
    for (const id of unread) this.lookedFor.add(id);
    if (unread.length > 0) void this.reload();
  }

  private async reload(): Promise<void> {
    try {
      const history = await Conversation.load(this.parts.api, this.sessionId);
      if (!this.over) this.become(merge(history, this.turns));
    } catch {
      // The feed goes on; the silence check asks again.
    }
    await this.checkOpen();
  }

  /** Asks for the record of each turn whose end this page may have missed. */
  private async checkOpen(): Promise<void> {
    const { messages } = this.feed.getSnapshot().state;
    for (const { messageId, outcome } of this.turns) {
      if (this.over) return;
      if (messageId !== null && !outcome && !messages[messageId]) await this.records.check(messageId);
    }
  }

  /** A socket's word is not enough to leave a conversation: HTTP may still let this browser in. */
  private async refused(status: number): Promise<void> {
    const sure = status < 1000 || (await this.feed.refresh().then(() => false, isRefusal));
    if (sure && !this.over) this.handlers.onRefused(this);
  }

  private look(): void {
    this.watch.set(LOOK_EVERY_MS, () => this.look());
    const { status } = this.feed.getSnapshot();
    const silent = status === "live" || status === "polling" ? this.silent() : [];
    if (silent.length > 0) void this.feed.refresh().catch(() => undefined);
    for (const id of silent) {
      this.heardAt.set(id, this.parts.clock.now());
      void this.records.check(id);
    }
  }

  private silent(): string[] {
    const { messages } = this.feed.getSnapshot().state;
    const since = this.parts.clock.now() - SILENCE_MS;
    return this.turns.flatMap((turn) => {
      const id = turn.messageId;
      if (id === null || turnState(turn, messages[id]) !== "running") return [];
      return (this.heardAt.get(id) ?? 0) <= since ? [id] : [];
    });
  }

  private unknown(id: string): void {
    if (this.known[id]) return;
    const turn = this.turns.find(({ messageId }) => messageId === id);
    if (turn?.recorded) this.change(id, { outcome: noRecord });
    else this.become(this.turns.filter(({ messageId }) => messageId !== id));
    this.parts.memory.forgetAsked(new Set([id]));
  }

  private change(id: string, news: Partial<Turn>): void {
    this.become(this.turns.map((turn) => (turn.messageId === id ? { ...turn, ...news } : turn)));
  }

  private become(turns: readonly Turn[]): void {
    this.turns = turns;
    if (!this.over) this.handlers.onChange();
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof HttpError && error.sessionLost;
}
