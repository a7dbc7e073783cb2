// Folds the frames of a feed into what is known of each message. Pure: same frames, same state.
import { addPiece, type Answer, catchUp, noAnswer, startOver } from "./answer";
import { continueStage, isEnded, openStage, type Stage, sentenceOf, stageName, timeOf } from "./stage";
import type { FeedEvent, Frame } from "./types";

/** Only a terminal event ends a message; a silent or lost connection says nothing about it. */
export type MessageState = "running" | "answered" | "failed" | "cancelled";

/** Why there is no whole answer; also of a message that somebody stopped. */
export interface Failure {
  sentence: string;
  reason: string | null;
  stage: string | null;
}

export interface Message {
  messageId: string;
  state: MessageState;
  stages: readonly Stage[];
  answer: Answer;
  /** What happens now, in the server's words. */
  sentence: string;
  startedAt: number | null;
  endedAt: number | null;
  failure: Failure | null;
}

export interface FeedState {
  messages: Readonly<Record<string, Message>>;
  /** Message ids in the order in which they were first heard of. */
  order: readonly string[];
}

export const emptyState: FeedState = { messages: {}, order: [] };

export function fold(state: FeedState, frame: Frame): FeedState {
  switch (frame.type) {
    case "event":
      return foldEvent(state, frame.event);
    case "chunk":
      return withAnswer(state, frame.message_id, (answer) => addPiece(answer, frame));
    case "answer":
      return withAnswer(state, frame.message_id, (answer) => catchUp(answer, { offset: 0, ...frame }));
    case "answer_reset":
      return withAnswer(state, frame.message_id, (answer) => startOver(answer, frame.attempt));
    case "reset":
      return emptyState;
    default:
      return state;
  }
}

export function foldEvent(state: FeedState, event: FeedEvent): FeedState {
  if (!event.message_id) return state;
  return withMessage(state, event.message_id, (message) => hear(message, event));
}

function withMessage(state: FeedState, id: string, change: (message: Message) => Message): FeedState {
  const known = Object.hasOwn(state.messages, id) ? state.messages[id] : undefined;
  const before = known ?? newMessage(id);
  const after = change(before);
  if (known && after === before) return state;
  const order = known ? state.order : [...state.order, id];
  return { messages: { ...state.messages, [id]: after }, order };
}

function withAnswer(state: FeedState, id: string, change: (answer: Answer) => Answer): FeedState {
  return withMessage(state, id, (message) => {
    const answer = change(message.answer);
    return answer === message.answer ? message : { ...message, answer };
  });
}

function newMessage(messageId: string): Message {
  return {
    messageId,
    state: "running",
    stages: [],
    answer: noAnswer,
    sentence: "",
    startedAt: null,
    endedAt: null,
    failure: null,
  };
}

function hear(message: Message, event: FeedEvent): Message {
  if (message.state !== "running") return message;
  const heard: Message = {
    ...message,
    startedAt: message.startedAt ?? startOf(event),
    sentence: sentenceOf(event),
  };
  if (event.event_type === "error") return event.event_status === "failed" ? fail(heard, event) : heard;
  const stages = withStage(message.stages, event);
  if (stages === message.stages) return message;
  const saved = event.event_type === "saving_message" && event.event_status === "completed";
  if (saved) return { ...heard, stages, state: "answered", endedAt: timeOf(event) };
  return { ...heard, stages };
}

function startOf(event: FeedEvent): number | null {
  const time = timeOf(event);
  if (time === null || !isEnded(event.event_status)) return time;
  return time - (event.processing_time_ms ?? 0);
}

function fail(message: Message, event: FeedEvent): Message {
  const broken = message.stages.findLast((stage) => stage.status === "failed");
  const reason = event.reason ?? null;
  const failure = { sentence: sentenceOf(event), reason, stage: broken?.type ?? null };
  return { ...message, state: reason === "cancelled" ? "cancelled" : "failed", endedAt: timeOf(event), failure };
}

function withStage(stages: readonly Stage[], event: FeedEvent): readonly Stage[] {
  const name = stageName(event);
  const at = stages.findLastIndex((stage) => stage.key === name || stage.key.startsWith(`${name}#`));
  const known = stages[at];
  if (!known) return [...stages, openStage(name, event)];
  if (!isEnded(known.status)) return stages.with(at, continueStage(known, event));
  // A second ending is a repeat; a second beginning without a span is the same work done once more.
  if (event.span_id || event.event_status !== "started") return stages;
  return [...stages, openStage(`${name}#${stages.length}`, event)];
}
