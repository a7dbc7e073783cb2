// What the operators' routes answer, as far as the dashboard reads it.

export interface Tiles {
  events: number;
  events_per_second: number;
  runs: number | null;
  runs_per_minute: number | null;
  failures: number;
  error_share: number | null;
  connections: Record<string, number>;
  feeds_behind: number | null;
  feed_lag_ms: Percentiles | null;
  queues: Record<string, number> | null;
  recorder: { waiting_events: number; lag_ms: number | null } | null;
  redis: { memory_bytes: number; memory_limit_bytes: number } | null;
  workers: { alive: number } | null;
}

export interface Percentiles {
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

export interface StageRow {
  event_type: string;
  category: string | null;
  events: number;
  completed: number;
  failed: number;
  error_share: number | null;
  timed: number;
  mean_ms: number | null;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
}

export type Values = readonly (number | null)[];

export interface Overview {
  from: string;
  to: string;
  bucket_seconds: number;
  /** When each bucket begins, in Unix milliseconds; the series are as long. */
  times: number[];
  tiles: Tiles;
  stages: StageRow[];
  series: {
    volume: Record<string, number[]>;
    errors: Record<string, number[]>;
    latency: Record<string, { p50: Values; p95: Values; p99: Values }>;
  };
  heat_map: { bounds_ms: number[]; counts: [bucket: number, duration: number, events: number][] };
}

export interface EventRow {
  id: number;
  timestamp: string;
  event_type: string;
  event_status: string | null;
  category: string | null;
  priority: string | null;
  session_id: string | null;
  message_id: string | null;
  user_id: string | null;
  user_message: string | null;
  processing_time_ms: number | null;
  [more: string]: unknown;
}

export interface EventsPage {
  events: EventRow[];
  has_more: boolean;
  next: number | null;
}

export interface SessionRow {
  session_id: string;
  owner: string | null;
  user_id: string | null;
  language: string | null;
  created_at: string;
  updated_at: string;
  runs: number;
  last_status: string | null;
}

export interface RunRow {
  message_id: string;
  status: string;
  reason: string | null;
  trace_id: string | null;
  created_at: string;
  duration_ms: number | null;
}

export type SpanState = "queued" | "running" | "completed" | "failed" | "cancelled" | "lost";

/** Times are Unix milliseconds. */
export interface Span {
  id: string;
  parent: string | null;
  event_type: string;
  name?: string | null;
  attempt: number;
  state: SpanState;
  queued_ms: number | null;
  start: number | null;
  end: number | null;
  reason: string | null;
  error_type?: string | null;
  sentence: string | null;
  first_id?: number | null;
  attributes: Record<string, unknown>;
  links: Links | null;
}

export interface Links {
  flower?: string | null;
  trace?: string | null;
}

export interface Trace {
  message_id: string;
  session_id: string;
  status: string;
  reason: string | null;
  open: boolean;
  start: number | null;
  end: number | null;
  /** The server's time when it answered. */
  now: number;
  duration_ms: number | null;
  whole: boolean;
  spans: Span[];
  critical_path: string[];
  links: Links | null;
}

export interface Alert {
  id: number;
  rule: string;
  status: string;
  severity: string;
  value: number | null;
  threshold: number;
  since: string | null;
  fired_at: string | null;
  resolved_at: string | null;
}

export interface Rule {
  name: string;
  metric: string;
  above: number;
  severity: string;
  source: string;
  state: string;
  enabled: boolean;
}

export interface Silence {
  id: number;
  rule: string;
  reason: string;
  made_by: string;
  until: string | null;
}

export interface Key {
  id: string;
  name: string;
  scopes: string[];
  user_id: string | null;
  created_by: string | null;
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
  last_used_at: string | null;
  /** Only in the reply that makes it. */
  key?: string;
}

export interface Subscription {
  id: string;
  name: string | null;
  owner: string;
  url: string | null;
  email: string | null;
  event_types: string[];
  enabled: boolean;
  circuit: string;
  failures: number;
  deliveries: { pending: number; delivered: number; dead: number; dropped: number };
  secret?: string;
}
