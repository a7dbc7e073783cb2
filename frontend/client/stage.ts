// One stage of a message: what its events, in order, say about it.
import type { EventStatus, FeedEvent } from "./types";

/** Something worth telling while a stage went on: a new try, and why. */
export interface Note {
  id: number;
  attempt: number;
  reason: string | null;
  sentence: string;
}

export interface Stage {
  key: string;
  type: string;
  status: EventStatus;
  sentence: string;
  spanId: string | null;
  parentSpanId: string | null;
  startedAt: number | null;
  endedAt: number | null;
  durationMs: number | null;
  queueMs: number | null;
  attempt: number;
  reason: string | null;
  data: Record<string, unknown>;
  notes: readonly Note[];
}

const MAX_NOTES = 20;

export const isEnded = (status: EventStatus): boolean => status === "completed" || status === "failed";

export function sentenceOf(event: FeedEvent): string {
  return event.user_message ?? `${event.event_type}:${event.event_status}`;
}

export function timeOf(event: FeedEvent): number | null {
  const time = Date.parse(event.timestamp);
  return Number.isNaN(time) ? null : time;
}

function attemptOf(event: FeedEvent): number {
  const told = event.attempt ?? event.event_data?.["attempt"];
  return typeof told === "number" ? told : 1;
}

/** A stage is known by its span; without one, by its type and the collection it searches. */
export function stageName(event: FeedEvent): string {
  if (event.span_id) return event.span_id;
  const collection = event.event_data?.["collection"];
  return typeof collection === "string" ? `${event.event_type}:${collection}` : event.event_type;
}

export function openStage(key: string, event: FeedEvent): Stage {
  const empty: Stage = {
    key,
    type: event.event_type,
    status: "started",
    sentence: "",
    spanId: event.span_id ?? null,
    parentSpanId: event.parent_span_id ?? null,
    startedAt: event.event_status === "started" ? timeOf(event) : null,
    endedAt: null,
    durationMs: null,
    queueMs: null,
    attempt: 1,
    reason: null,
    data: {},
    notes: [],
  };
  return continueStage(empty, event);
}

export function continueStage(stage: Stage, event: FeedEvent): Stage {
  const attempt = Math.max(stage.attempt, attemptOf(event));
  const next: Stage = {
    ...stage,
    status: event.event_status,
    sentence: sentenceOf(event),
    parentSpanId: stage.parentSpanId ?? event.parent_span_id ?? null,
    queueMs: event.queue_time_ms ?? stage.queueMs,
    attempt,
    reason: event.reason ?? stage.reason,
    data: { ...stage.data, ...event.event_data },
    notes: noteOf(stage, event, attempt),
  };
  return isEnded(event.event_status) ? endStage(next, event) : next;
}

function endStage(stage: Stage, event: FeedEvent): Stage {
  const endedAt = timeOf(event);
  const span = endedAt !== null && stage.startedAt !== null ? endedAt - stage.startedAt : null;
  const durationMs = event.processing_time_ms ?? span;
  const counted = endedAt !== null && durationMs !== null ? endedAt - durationMs : null;
  const reason = event.event_status === "failed" ? stage.reason : null;
  return { ...stage, endedAt, durationMs, startedAt: stage.startedAt ?? counted, reason };
}

function noteOf(stage: Stage, event: FeedEvent, attempt: number): readonly Note[] {
  const again = event.event_status === "progress" && (attempt > stage.attempt || event.reason);
  if (!again) return stage.notes;
  const note: Note = { id: event.id, attempt, reason: event.reason ?? null, sentence: sentenceOf(event) };
  return [...stage.notes, note].slice(-MAX_NOTES);
}
