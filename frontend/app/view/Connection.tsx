// Says, after a moment and politely, that the line is lost, that the page looks for news by itself, or why none come.
import type { FeedStatus } from "../../client";
import { useLasting, useSteady } from "./hooks";
import { useLocale } from "./locale";

const PATIENCE_MS = 2_000;

interface ConnectionProps {
  status: FeedStatus | null;
  lostAt: number | null;
  /** The server answers, but one of its parts does not. */
  busAway: boolean;
}

export function Connection({ status, lostAt, busAway }: ConnectionProps) {
  const { t } = useLocale();
  const lost = useLasting(lostAt, PATIENCE_MS);
  const away = useSteady(busAway, PATIENCE_MS);
  const never = status === null || status === "connecting";
  const polled = status === "polling" ? t.polling : null;
  const text = lost ? (never ? t.connecting : t.reconnecting) : away ? t.busAway : polled;
  return (
    <div className="connection-place" aria-live="polite">
      {text && (
        <p className="connection" data-testid="connection" data-state={lost ? "reconnecting" : away ? "bus-away" : "polling"}>
          {lost && <span className="spinner" aria-hidden="true" />}
          {text}
        </p>
      )}
    </div>
  );
}
