// Says, after a moment, that the line is lost or back, that the page asks by itself, or that a part is away.
import type { FeedStatus } from "../../client";
import { useLasting, useRelief, useSteady } from "./hooks";
import { useLocale } from "./locale";

const PATIENCE_MS = 2_000;
/** How long it stays to be read that all is well again. */
const RELIEF_MS = 4_000;

interface ConnectionFacts {
  status: FeedStatus | null;
  lostAt: number | null;
  /** The server answers, but one of its parts does not. */
  busAway: boolean;
  /** Events that had happened meanwhile. */
  caughtUp: number;
}

export interface ConnectionNews {
  state: Said;
  text: string;
}

type Said = "offline" | "reconnecting" | "bus-away" | "caught-up" | "polling";

/** What is to be said of the connection; null while all is well. */
export function useConnectionNews({ status, lostAt, busAway, caughtUp }: ConnectionFacts): ConnectionNews | null {
  const { t } = useLocale();
  const lost = useLasting(lostAt, PATIENCE_MS);
  const away = useSteady(busAway, PATIENCE_MS);
  const polled = useSteady(status === "polling", PATIENCE_MS);
  const relieved = useRelief(lost, RELIEF_MS);
  const never = status === null || status === "connecting";
  const texts: Record<Said, string> = {
    offline: t.offline,
    reconnecting: never ? t.connecting : t.reconnecting,
    "bus-away": t.busAway,
    "caught-up": t.caughtUp(caughtUp),
    polling: t.polling,
  };
  const trouble = status === "offline" ? "offline" : "reconnecting";
  const said: Said | null = lost ? trouble : away ? "bus-away" : relieved ? "caught-up" : polled ? "polling" : null;
  return said && { state: said, text: texts[said] };
}

/** The status region says the same aloud. */
export function Connection({ news }: { news: ConnectionNews | null }) {
  return (
    <div className="connection-place">
      {news && (
        <p className="connection" data-testid="connection" data-state={news.state}>
          {news.state === "reconnecting" && <span className="spinner" aria-hidden="true" />}
          {news.text}
        </p>
      )}
    </div>
  );
}
