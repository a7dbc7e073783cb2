// What a card says and offers at a moment. Pure: the same turn, news and time give the same card.
import { isEnded, type Message, type MessageState } from "../client";
import { isUnderWay } from "./deeds";
import type { Problem } from "./problem";
import { answerOf, type Deed, type Turn, turnState } from "./turns";

export interface Card {
  state: MessageState;
  /** For how long nobody has been at work on it; null until that is worth saying. */
  waitedMs: number | null;
  /** The text is only what had been said when it ended. */
  partial: boolean;
  offer: Deed | null;
  /** What it offers has been asked for. */
  busy: boolean;
  /** Why what it offers could not be done. */
  problem: Problem | null;
}

export interface Moment {
  /** The server's time now. */
  now: number;
  /** News come through: silence means that there are none. */
  live: boolean;
  /** The question has been asked again. */
  retried: boolean;
}

/** Shorter waits are not worth a word. */
export const WAITING_MS = 5_000;

export function cardOf(turn: Turn, message: Message | undefined, { now, live, retried }: Moment): Card {
  const state = turnState(turn, message);
  const since = live ? idleSince(turn, message) : null;
  const waited = since === null ? 0 : now - since;
  const offer = offerOf(turn, message, retried);
  return {
    state,
    waitedMs: waited >= WAITING_MS ? waited : null,
    partial: state !== "running" && isPartial(turn, message, state),
    offer,
    busy: offer !== null && isUnderWay(turn, offer),
    problem: turn.wish?.deed === offer ? (turn.wish?.problem ?? null) : null,
  };
}

/** Since when, by the server's clock, an accepted message has had no stage open: it waits in a queue. */
export function idleSince(turn: Turn, message: Message | undefined): number | null {
  if (turn.messageId === null || turnState(turn, message) !== "running") return null;
  if (!message) return turn.askedAt;
  const { state, stages, answer } = message;
  if (state !== "running" || stages.some((stage) => !isEnded(stage.status))) return null;
  if (stages.length === 0) return answer.text ? null : turn.askedAt;
  const ends = stages.flatMap(({ endedAt }) => endedAt ?? []);
  return ends.length > 0 ? Math.max(...ends) : null;
}

function offerOf(turn: Turn, message: Message | undefined, retried: boolean): Deed | null {
  if (turn.messageId === null) return null;
  const state = turnState(turn, message);
  if (state === "answered") return null;
  if (state === "running") return message && message.state !== "running" ? null : "stop";
  // Of a question the server has no record of, there is nothing to ask again.
  return retried || turn.outcome?.reason === "missing" ? null : "retry";
}

function isPartial(turn: Turn, message: Message | undefined, state: MessageState): boolean {
  const cut = state !== "answered" || (turn.outcome?.partial ?? false);
  return cut && answerOf(turn, message) !== "";
}
