// One message of a unified stream, as it travels.

export interface SSEEvent {
  /** The event's number in the log; a message about the connection has another. */
  id: string;
  type: string;
  data: Record<string, unknown>;
  timestamp: string;
  metadata: SSEMetadata;
  /** Whose event it is; only on the administrators' stream. */
  user_id?: string | null;
}

export interface SSEMetadata {
  category?: string | null;
  priority?: string | null;
  source_system?: string | null;
  correlation_id?: string | null;
  session_id?: string | null;
  unified_event_id?: string | null;
  user_message?: string;
  [more: string]: unknown;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Null for what is no event: one bad message must not end a stream. */
export function parseEvent(text: string): SSEEvent | null {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(raw) || typeof raw["type"] !== "string") return null;
  const { id, data, metadata } = raw;
  const whole = { ...raw, data: isObject(data) ? data : {}, metadata: isObject(metadata) ? metadata : {} };
  return { ...whole, id: String(id ?? "") } as SSEEvent;
}

/** What the server tells of the connection: it has no category, whatever its name. */
export function connectionNews(event: SSEEvent): string | null {
  if (event.metadata.category) return null;
  return /^(?:admin\.)?connection\.(\w+)$/.exec(event.type)?.[1] ?? null;
}

export function isUrgent({ metadata }: SSEEvent): boolean {
  return metadata.priority === "high" || metadata.priority === "critical";
}
