// Says, after a moment and politely, that the line is lost or that the page looks for news by itself.
import type { FeedStatus } from "../../client";
import { useLasting } from "./hooks";
import { useLocale } from "./locale";

const PATIENCE_MS = 2_000;

export function Connection({ status, lostAt }: { status: FeedStatus | null; lostAt: number | null }) {
  const { t } = useLocale();
  const lost = useLasting(lostAt, PATIENCE_MS);
  const never = status === null || status === "connecting";
  const text = lost ? (never ? t.connecting : t.reconnecting) : status === "polling" ? t.polling : null;
  return (
    <div className="connection-place" aria-live="polite">
      {text && (
        <p className="connection" data-testid="connection" data-state={lost ? "reconnecting" : "polling"}>
          {lost && <span className="spinner" aria-hidden="true" />}
          {text}
        </p>
      )}
    </div>
  );
}
