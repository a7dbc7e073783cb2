// Runs one visitor's chat: session, history, feed, questions, records. The page only draws its snapshot.
import { type ConnectOptions, type Feed, type FeedSnapshot, HttpError, type Message } from "../client";
import { backoffMs } from "../client/backoff";
import { Alarm, type Clock } from "../client/clock";
import type { PageApi, Rating } from "./api";
import { Conversation } from "./conversation";
import type { Held } from "./lists";
import { type Problem, problemOf } from "./problem";
import { Sessions } from "./session";
import type { Memory } from "./storage";
import type { Turn } from "./turns";

export interface ChatSnapshot {
  sessionId: string | null;
  turns: readonly Turn[];
  feed: FeedSnapshot | null;
  /** Since when the server cannot be reached; null while all is well. */
  lostAt: number | null;
  sending: boolean;
  problem: Problem | null;
}

export interface ChatParts {
  api: PageApi;
  memory: Memory;
  clock: Clock;
  random: () => number;
  connect(options: ConnectOptions): Feed;
  /** Calls back soon, and once for many changes. */
  soon(run: () => void): void;
}

export class Chat {
  private readonly sessions: Sessions;
  private readonly retry: Alarm;
  private readonly listeners = new Set<() => void>();
  private conversation: Conversation | null = null;
  private entering: Promise<void> = Promise.resolve();
  private lostAt: number | null;
  private failures = 0;
  private sending = false;
  private problem: Problem | null = null;
  private stale = false;
  private snapshot: ChatSnapshot;
  /** Counts the sessions entered, so that a late reply from an earlier one is not taken for this one's. */
  private life = 0;

  constructor(private readonly parts: ChatParts) {
    this.sessions = new Sessions(parts.api, parts.memory);
    this.retry = new Alarm(parts.clock);
    this.lostAt = parts.clock.now();
    this.snapshot = this.draw();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly getSnapshot = (): ChatSnapshot => this.snapshot;

  message(turn: Turn): Message | undefined {
    return turn.messageId === null ? undefined : this.snapshot.feed?.state.messages[turn.messageId];
  }

  start(): void {
    this.entering = this.begin(() => this.sessions.enter());
  }

  /** Leaves this conversation for a new, empty one. */
  startAnew(): void {
    void this.begin(() => this.sessions.open(), this.conversation === null);
  }

  /** Leaves this conversation for another one; for a new one where the server does not let this browser in again. */
  open(sessionId: string): void {
    if (sessionId === this.conversation?.sessionId) return;
    this.parts.memory.session = sessionId;
    void this.begin(() => Promise.resolve(sessionId), this.conversation === null);
  }

  /** The conversations held in this browser, the last one first. */
  held(): Held[] {
    return this.parts.memory.lists.held();
  }

  /** Deletes a conversation on the server and from the list; gives the problem that kept it from being deleted. */
  async remove(sessionId: string): Promise<Problem | null> {
    try {
      await this.parts.api.remove(sessionId);
    } catch (error) {
      const problem = problemOf(error);
      if (problem.status !== 404) return problem;
    }
    this.parts.memory.lists.drop(sessionId);
    if (sessionId === this.conversation?.sessionId) this.startAnew();
    this.changed();
    return null;
  }

  /** Tells the server what the reader thinks of an answer; gives the problem that kept it from being told. */
  readonly rate = async (messageId: string, rating: Rating, comment?: string): Promise<Problem | null> => {
    if (!this.conversation) return null;
    try {
      await this.parts.api.rate(this.conversation.sessionId, messageId, rating, comment);
    } catch (error) {
      return problemOf(error);
    }
    this.parts.memory.lists.rememberOpinion(messageId, rating);
    return null;
  };

  readonly opinion = (messageId: string): Rating | null => this.parts.memory.lists.opinion(messageId);

  dismissProblem(): void {
    if (this.problem === null) return;
    this.problem = null;
    this.changed();
  }

  /** True once the server has accepted the question; otherwise the snapshot says why not. */
  async ask(question: string, language: string): Promise<boolean> {
    if (this.sending) return false;
    this.sending = true;
    this.problem = null;
    this.changed();
    try {
      await this.send(question, language);
      return true;
    } catch (error) {
      this.problem = problemOf(error);
      return false;
    } finally {
      this.sending = false;
      this.changed();
    }
  }

  /** Asks to stop an answer; the feed tells when it has stopped, its turn why it could not be. */
  readonly stop = (messageId: string): void => void this.conversation?.stop(messageId);

  /** Asks a question again that got no answer: as a new turn, or its turn says why not. */
  readonly tryAgain = (messageId: string): void => void this.conversation?.tryAgain(messageId);

  close(): void {
    this.life += 1;
    this.retry.clear();
    this.conversation?.close();
  }

  private async send(question: string, language: string): Promise<void> {
    // Who is quicker than the page's first answers is not turned away for it.
    if (!this.conversation) await this.entering;
    const conversation = this.conversation;
    if (!conversation) throw new HttpError(0, "");
    try {
      await conversation.ask(question, language);
    } catch (error) {
      if (!(error instanceof HttpError) || !(error.status === 401 || error.status === 404)) throw error;
      await this.replaceSession(conversation);
      if (!this.conversation || this.conversation === conversation) throw error;
      await this.conversation.ask(question, language);
    }
  }

  private async replaceSession(refused: Conversation): Promise<void> {
    if (this.conversation === refused) await this.begin(() => this.sessions.replace(refused.sessionId));
  }

  private async begin(find: () => Promise<string>, insist = true): Promise<void> {
    this.life += 1;
    const { life } = this;
    this.retry.clear();
    try {
      await this.enter(find, life);
      if (life === this.life) this.arrived();
    } catch (error) {
      if (life === this.life) this.delayed(error, find, insist);
    }
    this.changed();
  }

  private async enter(find: () => Promise<string>, life: number): Promise<void> {
    let sessionId = await find();
    let history = await this.read(sessionId);
    if (!history) {
      this.parts.memory.lists.drop(sessionId);
      sessionId = await this.sessions.replace(sessionId);
      history = await this.read(sessionId);
    }
    if (!history) throw new HttpError(401, "");
    if (life !== this.life) return;
    this.conversation?.close();
    this.conversation = new Conversation(sessionId, history, this.parts, {
      onChange: () => this.changed(),
      onRefused: (conversation) => void this.replaceSession(conversation),
    });
  }

  /** The turns of a session; null when this browser may not read it. */
  private async read(sessionId: string): Promise<Turn[] | null> {
    if (!this.parts.memory.hasSpoken(sessionId)) return [];
    try {
      return await Conversation.load(this.parts.api, sessionId);
    } catch (error) {
      if (error instanceof HttpError && error.sessionLost) return null;
      throw error;
    }
  }

  private arrived(): void {
    this.failures = 0;
    this.lostAt = null;
    this.problem = null;
  }

  private delayed(error: unknown, find: () => Promise<string>, insist: boolean): void {
    const problem = problemOf(error);
    if (problem.status !== 0 || !insist) this.problem = problem;
    if (!insist) return;
    this.failures += 1;
    this.lostAt ??= this.parts.clock.now();
    const wait = Math.max(problem.retryAfterMs ?? 0, backoffMs(this.failures, this.parts.random));
    this.retry.set(wait, () => void this.begin(find));
  }

  private changed(): void {
    if (this.stale) return;
    this.stale = true;
    this.parts.soon(() => {
      this.stale = false;
      this.snapshot = this.draw();
      for (const listener of this.listeners) listener();
    });
  }

  private draw(): ChatSnapshot {
    const { conversation, sending, problem } = this;
    const feed = conversation?.feed.getSnapshot() ?? null;
    return {
      sessionId: conversation?.sessionId ?? null,
      turns: conversation?.turns ?? [],
      feed,
      lostAt: this.lostAt ?? feed?.lostAt ?? null,
      sending,
      problem,
    };
  }
}
