// A conversation as turns: a question and what became of it. Pure; knows the server's records, not the screen.
import type { HistoryMessage, Message, MessageDocument, MessageState, Source } from "../client";
import type { Problem } from "./problem";

/** What the server's own record says at the end, in place of what was streamed. */
export interface Outcome {
  state: Exclude<MessageState, "running">;
  answer: string;
  /** The answer is only what had been said when it ended. */
  partial: boolean;
  sources: readonly Source[];
  extractive: boolean;
  reason: string | null;
  errorMessage: string | null;
  /** The documents do not hold the answer, and it says so. */
  refused: boolean;
  /** How long it took by the server's record; null where only the feed may know. */
  tookMs: number | null;
}

/** What a reader can ask for on a card. */
export type Deed = "stop" | "retry";

/** What was asked for on a turn's card: under way, or refused with a reason. */
export interface Wish {
  deed: Deed;
  problem: Problem | null;
}

export interface Turn {
  key: string;
  /** Null until the server has accepted the question. */
  messageId: string | null;
  /** Null when it was asked elsewhere and its text is not known yet. */
  question: string | null;
  /** By the server's clock. */
  askedAt: number | null;
  /** The message that this one asks again. */
  retryOf: string | null;
  outcome: Outcome | null;
  /** It had ended before this page was opened. */
  old: boolean;
  /** The server has said that it knows the question. */
  recorded: boolean;
  /** The record could not be fetched (yet): show what the feed has brought. */
  recordMissing: boolean;
  wish: Wish | null;
}

type Asked = Pick<Turn, "key" | "messageId" | "question" | "askedAt"> & Partial<Pick<Turn, "retryOf">>;

export function newTurn(asked: Asked): Turn {
  return { retryOf: null, ...asked, outcome: null, old: false, recorded: false, recordMissing: false, wish: null };
}

type Record = Partial<Omit<MessageDocument, "session_id" | "message_id">>;

export function outcomeOf(record: Record): Outcome | null {
  const partial = record.partial ?? false;
  const status = record.status ?? (partial ? "failed" : "completed");
  if (status === "queued" || status === "running") return null;
  const stopped = status === "cancelled" || record.reason === "cancelled";
  return {
    state: status === "completed" ? "answered" : stopped ? "cancelled" : "failed",
    answer: record.answer ?? "",
    partial,
    sources: (record.sources ?? []).map((source, index) => ({ ...source, number: source.number ?? index + 1 })),
    extractive: record.retriever_type?.includes("extractive") ?? false,
    reason: record.reason ?? (status === "cancelled" ? "cancelled" : null),
    errorMessage: record.error_message ?? null,
    refused: record.refused ?? false,
    tookMs: null,
  };
}

/** There is a question, but nobody has a record of an answer, and nothing is at work on it. */
export const noRecord: Outcome = {
  state: "failed",
  answer: "",
  partial: false,
  sources: [],
  extractive: false,
  reason: "missing",
  errorMessage: null,
  refused: false,
  tookMs: null,
};

export function fromHistory(messages: readonly HistoryMessage[]): Turn[] {
  const turns: Turn[] = [];
  for (const message of messages) {
    if (message.message_type === "user") turns.push(asked(message));
    else answer(turns, message);
  }
  return turns;
}

function asked(message: HistoryMessage): Turn {
  const time = Date.parse(message.timestamp);
  const key = message.message_id ?? `history-${message.id}`;
  const askedAt = Number.isNaN(time) ? null : time;
  const { status, reason = null, retry_of: again } = message.metadata ?? {};
  const retryOf = typeof again === "string" ? again : null;
  const turn = newTurn({ key, messageId: message.message_id, question: message.content, askedAt, retryOf });
  const stopped = status === "failed" || status === "cancelled";
  return { ...turn, recorded: true, old: stopped, outcome: stopped ? outcomeOf({ status, reason }) : null };
}

function answer(turns: Turn[], message: HistoryMessage): void {
  const id = message.message_id;
  const byId = id === null ? -1 : turns.findIndex((turn) => turn.messageId === id);
  const at = byId >= 0 ? byId : turns.findLastIndex((turn) => turn.outcome === null);
  const turn = turns[at];
  const outcome = outcomeOf({ ...message.metadata, answer: message.content });
  if (!turn || !outcome) return;
  const took = Date.parse(message.timestamp) - (turn.askedAt ?? Number.NaN);
  turns[at] = { ...turn, outcome: { ...outcome, tookMs: took >= 0 ? took : null }, old: true };
}

/** The server's history, with what this page already knows better, and what only this page knows at the end. */
export function merge(history: readonly Turn[], known: readonly Turn[]): Turn[] {
  const byId = new Map(known.flatMap((turn) => (turn.messageId ? [[turn.messageId, turn] as const] : [])));
  const told = new Set(history.map((turn) => turn.messageId));
  const first = history.map((turn) => {
    const mine = turn.messageId ? byId.get(turn.messageId) : undefined;
    if (!mine) return turn;
    return {
      ...mine,
      recorded: true,
      question: mine.question ?? turn.question,
      askedAt: mine.askedAt ?? turn.askedAt,
      retryOf: mine.retryOf ?? turn.retryOf,
      outcome: mine.outcome ?? turn.outcome,
    };
  });
  return [...first, ...known.filter((turn) => turn.messageId === null || !told.has(turn.messageId))];
}

/** A turn has ended when the feed says so and its record is here, or cannot be had; one that was stopped, at once. */
export function turnState(turn: Turn, message: Message | undefined): MessageState {
  if (turn.outcome) return turn.outcome.state;
  return message && (turn.recordMissing || message.state === "cancelled") ? message.state : "running";
}

/** What has been said: the record's text, or what the feed has brought. */
export function answerOf(turn: Turn, message: Message | undefined): string {
  return turn.outcome?.answer || message?.answer.text || "";
}
