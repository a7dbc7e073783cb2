// A conversation as turns: a question and what became of it. Pure; knows the server's records, not the screen.
import type { HistoryMessage, Message, MessageDocument, MessageState, Source } from "../client";

/** What the server's own record says at the end, in place of what was streamed. */
export interface Outcome {
  state: "answered" | "failed";
  answer: string;
  sources: readonly Source[];
  extractive: boolean;
  reason: string | null;
  errorMessage: string | null;
  /** The documents do not hold the answer, and it says so. */
  refused: boolean;
}

export interface Turn {
  key: string;
  /** Null until the server has accepted the question. */
  messageId: string | null;
  /** Null when it was asked elsewhere and its text is not known yet. */
  question: string | null;
  askedAt: number | null;
  outcome: Outcome | null;
  /** It had ended before this page was opened. */
  old: boolean;
  /** The server has said that it knows the question. */
  recorded: boolean;
  /** The record could not be fetched (yet): show what the feed has brought. */
  recordMissing: boolean;
}

type Asked = Pick<Turn, "key" | "messageId" | "question" | "askedAt">;

export function newTurn(asked: Asked): Turn {
  return { ...asked, outcome: null, old: false, recorded: false, recordMissing: false };
}

type Record = Partial<Omit<MessageDocument, "session_id" | "message_id">>;

export function outcomeOf(record: Record): Outcome | null {
  const status = record.status ?? "completed";
  if (status === "queued" || status === "running") return null;
  return {
    state: status === "completed" ? "answered" : "failed",
    answer: record.answer ?? "",
    sources: (record.sources ?? []).map((source, index) => ({ ...source, number: source.number ?? index + 1 })),
    extractive: record.retriever_type?.includes("extractive") ?? false,
    reason: record.reason ?? (status === "cancelled" ? "cancelled" : null),
    errorMessage: record.error_message ?? null,
    refused: record.refused ?? false,
  };
}

/** There is a question, but nobody has a record of an answer, and nothing is at work on it. */
export const noRecord: Outcome = {
  state: "failed",
  answer: "",
  sources: [],
  extractive: false,
  reason: "missing",
  errorMessage: null,
  refused: false,
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
  const turn = newTurn({ key, messageId: message.message_id, question: message.content, askedAt });
  const { status, reason = null } = message.metadata ?? {};
  const stopped = status === "failed" || status === "cancelled";
  return { ...turn, recorded: true, old: stopped, outcome: stopped ? outcomeOf({ status, reason }) : null };
}

function answer(turns: Turn[], message: HistoryMessage): void {
  const id = message.message_id;
  const byId = id === null ? -1 : turns.findIndex((turn) => turn.messageId === id);
  const at = byId >= 0 ? byId : turns.findLastIndex((turn) => turn.outcome === null);
  const turn = turns[at];
  const outcome = outcomeOf({ ...message.metadata, answer: message.content });
  if (turn && outcome) turns[at] = { ...turn, outcome, old: true };
}

/** The server's history, with what this page already knows better, and what only this page knows at the end. */
export function merge(history: readonly Turn[], known: readonly Turn[]): Turn[] {
  const byId = new Map(known.flatMap((turn) => (turn.messageId ? [[turn.messageId, turn] as const] : [])));
  const told = new Set(history.map((turn) => turn.messageId));
  const first = history.map((turn) => {
    const mine = turn.messageId ? byId.get(turn.messageId) : undefined;
    if (!mine) return turn;
    const { question, outcome } = mine;
    return { ...mine, recorded: true, question: question ?? turn.question, outcome: outcome ?? turn.outcome };
  });
  return [...first, ...known.filter((turn) => turn.messageId === null || !told.has(turn.messageId))];
}

/** A turn has ended when the feed says so and its record is here, or cannot be had. */
export function turnState(turn: Turn, message: Message | undefined): MessageState {
  if (turn.outcome) return turn.outcome.state;
  return message && turn.recordMissing ? message.state : "running";
}
