// The events that are shown in a table: stored pages below, live ones above, each once, and not without end.
import { connectionNews, type SSEEvent } from "../react/event";
import type { Filter } from "./place";
import type { EventRow } from "./shapes";

/** More rows than this are let go at the end: they can be fetched again. */
export const MOST_ROWS = 5_000;

/** What came live, in the fields of a stored event. */
export function rowOf(event: SSEEvent): EventRow | null {
  const id = Number(event.id);
  if (!Number.isSafeInteger(id) || id <= 0 || connectionNews(event)) return null;
  const { metadata } = event;
  const said = (name: string): string | null => (typeof metadata[name] === "string" ? metadata[name] : null);
  const took = metadata["processing_time_ms"];
  return {
    id,
    timestamp: event.timestamp,
    event_type: event.type,
    event_status: said("event_status"),
    category: said("category"),
    priority: said("priority"),
    session_id: said("session_id"),
    message_id: said("message_id"),
    user_id: event.user_id ?? null,
    user_message: said("user_message"),
    processing_time_ms: typeof took === "number" ? took : null,
    event_data: event.data,
    metadata,
  };
}

/** `pattern` may hold `*`. */
function fits(pattern: string, text: string | null): boolean {
  if (!pattern.includes("*")) return pattern === text;
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return text !== null && pattern.length <= 64 && new RegExp(`^${parts.join(".*")}$`, "s").test(text);
}

/** Whether a live event is one that the filter asks for. */
export function passes(row: EventRow, filter: Filter): boolean {
  return Object.entries(filter).every(([name, wanted]) => {
    if (name === "text") return (row.user_message ?? "").toLowerCase().includes(wanted.toLowerCase());
    const value = row[name];
    return fits(name === "event_type" ? wanted : wanted.replaceAll("*", ""), typeof value === "string" ? value : null);
  });
}

/** Newest first, each id once. */
export function merged(rows: readonly EventRow[], more: readonly EventRow[]): EventRow[] {
  const known = new Set(rows.map(({ id }) => id));
  const fresh = more.filter(({ id }) => !known.has(id) && known.add(id));
  if (fresh.length === 0) return rows as EventRow[];
  return [...rows, ...fresh].sort((one, other) => other.id - one.id).slice(0, MOST_ROWS);
}
