// The shapes that travel: events, the frames of the feed, and what the HTTP routes answer.

export type EventStatus = "started" | "progress" | "completed" | "failed";

export type EventCategory = "realtime" | "security" | "audit" | "monitoring" | "streaming" | "analytics" | "workflow";

export type EventPriority = "low" | "normal" | "high" | "critical";

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
  category?: EventCategory;
  priority?: EventPriority;
  trace_id?: string | null;
  span_id?: string | null;
  parent_span_id?: string | null;
  task_id?: string | null;
  attempt?: number | null;
  queue_time_ms?: number | null;
  reason?: string | null;
  error_type?: string | null;
  user_id?: string | null;
  correlation_id?: string | null;
  metadata?: Record<string, unknown>;
  source_system?: string;
}

export interface ConnectionFrame {
  type: "connection";
  status: "connected";
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
  /** Of a further session on the same WebSocket; so with the frames below. */
  session_id?: string;
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
  session_id?: string;
}

/** The text so far, for a client that joins late. */
export interface AnswerFrame {
  type: "answer";
  message_id: string;
  attempt: number;
  text: string;
  offset?: number;
  session_id?: string;
}

export interface AnswerResetFrame {
  type: "answer_reset";
  message_id: string;
  attempt: number;
  session_id?: string;
}

/** The cursor is of no use any more: forget it, and what was built on it. */
export interface ResetFrame {
  type: "reset";
  reason?: "epoch" | "future" | "history";
  epoch?: string;
  last_id?: number;
  session_id?: string;
}

/** The server has lost its event bus, or has it again: until then nothing goes on, and nothing is lost. */
export interface BusFrame {
  type: "bus";
  status: "away" | "back";
  timestamp?: string;
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
  reason?: "epoch" | "future";
  /** Events behind the cursor have been deleted; the first one that is left is `first_available`. */
  gap?: boolean;
  first_available?: number;
}

export interface Source {
  number?: number;
  title?: string;
  url?: string | null;
  snippet?: string;
  path?: string;
  collection?: string;
  start?: number;
  end?: number;
}

export type MessageStatus = "queued" | "running" | "completed" | "failed" | "cancelled";

export interface FollowUp {
  question: string;
  relevance_score: number;
}

export interface MessageDocument {
  session_id: string;
  message_id: string;
  status: MessageStatus;
  answer: string | null;
  sources: Source[];
  confidence?: number | null;
  retriever_type?: string | null;
  usage?: Record<string, unknown> | null;
  recommended_follow_up_questions?: FollowUp[];
  trace_id?: string;
  reason?: string | null;
  error_message?: string | null;
  partial?: boolean;
  /** Nothing in the documents answers the question, and the answer says so. */
  refused?: boolean;
  /** What a model's answer was checked for, and how often it held. */
  checks?: Record<string, unknown> | null;
}

export interface HistoryMessage {
  id: number;
  message_id: string;
  message_type: "user" | "assistant";
  content: string;
  timestamp: string;
  message_object?: Record<string, unknown>;
  metadata?: Partial<MessageDocument> & Record<string, unknown>;
}

export interface History {
  session_id: string;
  messages: HistoryMessage[];
  user_id?: string | null;
  created_at?: string;
  updated_at?: string;
  message_count?: number;
  num_messages?: number;
}

/** Personal data was found in a question, of these kinds. */
export interface Warning {
  code: string;
  kinds: string[];
}

export interface Accepted {
  session_id: string;
  message_id: string;
  status: "accepted";
  warnings?: Warning[];
}

export interface Cancelled {
  session_id: string;
  message_id: string;
  status: string;
  /** False: there was nothing (any more) to stop. */
  cancelled: boolean;
}
