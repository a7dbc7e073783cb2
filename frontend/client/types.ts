// The shapes that travel: events, the frames of the feed, and what the HTTP routes answer.

export type EventStatus = "started" | "progress" | "completed" | "failed";

export interface FeedEvent {
  id: number;
  seq?: number | null;
  session_id: string;
  message_id: string | null;
  event_type: string;
  event_status: EventStatus;
  event_data: Record<string, unknown> | null;
  user_message: string | null;
  timestamp: string;
  processing_time_ms: number | null;
  category?: string;
  priority?: string;
  trace_id?: string | null;
  span_id?: string | null;
  parent_span_id?: string | null;
  task_id?: string | null;
  attempt?: number | null;
  queue_time_ms?: number | null;
  reason?: string | null;
}

export interface ConnectionFrame {
  type: "connection";
  status: string;
  session_id: string;
  timestamp: string;
  message?: string;
  epoch?: string;
  last_id?: number;
}

/** The id the server really resumed from. */
export interface HelloFrame {
  type: "hello";
  after: number;
  epoch?: string;
}

export interface EventFrame {
  type: "event";
  event: FeedEvent;
}

/** A piece of an answer; `offset` counts Unicode code points of this attempt's answer. */
export interface ChunkFrame {
  type: "chunk";
  message_id: string;
  attempt: number;
  offset: number;
  text: string;
}

/** The text so far, for a client that joins late. */
export interface AnswerFrame {
  type: "answer";
  message_id: string;
  attempt: number;
  text: string;
  offset?: number;
}

export interface AnswerResetFrame {
  type: "answer_reset";
  message_id: string;
  attempt: number;
}

/** The cursor is of no use any more: forget it, and what was built on it. */
export interface ResetFrame {
  type: "reset";
  reason?: string;
  epoch?: string;
  last_id?: number;
}

/** The server has lost its event bus, or has it again: until then nothing goes on, and nothing is lost. */
export interface BusFrame {
  type: "bus";
  status: "away" | "back";
}

export interface QuietFrame {
  type: "keepalive" | "pong";
}

export type Frame =
  | ConnectionFrame
  | HelloFrame
  | EventFrame
  | ChunkFrame
  | AnswerFrame
  | AnswerResetFrame
  | ResetFrame
  | BusFrame
  | QuietFrame;

export interface EventPage {
  session_id: string;
  events: FeedEvent[];
  total_count: number;
  has_more: boolean;
  next_after?: number | null;
  /** Null while the event bus is away: the page then holds what the database has. */
  epoch?: string | null;
  /** The cursor was of no use; these are the session's first events. */
  reset?: boolean;
  reason?: string;
}

export interface Source {
  number?: number;
  title?: string | null;
  url?: string | null;
  snippet?: string | null;
  path?: string | null;
  collection?: string | null;
  start?: number | null;
  end?: number | null;
}

export type MessageStatus = "queued" | "running" | "completed" | "failed" | "cancelled";

export interface MessageDocument {
  session_id: string;
  message_id: string;
  status: MessageStatus;
  answer: string | null;
  sources: Source[] | null;
  confidence?: number | null;
  retriever_type?: string | null;
  usage?: unknown;
  trace_id?: string | null;
  reason?: string | null;
  error_message?: string | null;
  partial?: boolean | null;
  /** Nothing in the documents answers the question, and the answer says so. */
  refused?: boolean | null;
}

export interface HistoryMessage {
  id: number | string;
  message_id: string | null;
  message_type: "user" | "assistant";
  content: string;
  timestamp: string;
  message_object?: unknown;
  metadata?: (Partial<MessageDocument> & Record<string, unknown>) | null;
}

export interface History {
  session_id: string;
  messages: HistoryMessage[];
}

export interface Accepted {
  session_id: string;
  message_id: string;
  status: string;
}

export interface Cancelled {
  session_id: string;
  message_id: string;
  status: string;
  /** False: there was nothing (any more) to stop. */
  cancelled: boolean;
}
