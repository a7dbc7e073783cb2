// One session's feed, as a hook.
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { emptyState, type Feed, type FeedSnapshot } from "../client/index";
import { type FeedOptions, feedKey, holdFeed, type SharedFeed } from "./shared";

export interface FeedView {
  /** Null before the first effect, and while there is no session. */
  feed: Feed | null;
  snapshot: FeedSnapshot;
}

const waiting: FeedSnapshot = {
  status: "connecting",
  transport: null,
  lostAt: null,
  busAway: false,
  lastId: 0,
  epoch: null,
  missed: 0,
  caughtUp: 0,
  clockOffsetMs: 0,
  state: emptyState,
};

/** Functions in options may be new with each rendering; the latest are called. */
export function useSharedFeed(sessionId: string | null, options: FeedOptions): SharedFeed | null {
  const [shared, setShared] = useState<SharedFeed | null>(null);
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  const key = sessionId === null ? null : feedKey(sessionId, options);
  useEffect(() => {
    if (sessionId === null || key === null) return undefined;
    const { token, getToken } = latest.current;
    const fresh: FeedOptions = { ...latest.current };
    if (typeof token === "function") fresh.token = () => asked(latest.current.token ?? token);
    if (getToken) fresh.getToken = () => asked(latest.current.getToken ?? getToken);
    const [held, release] = holdFeed(key, sessionId, fresh);
    setShared(held);
    return release;
  }, [key, sessionId]);
  return shared?.key === key ? shared : null;
}

type Asked = Exclude<FeedOptions["token"], undefined>;

function asked(token: Asked): string | null | Promise<string | null> {
  return typeof token === "function" ? token() : token;
}

/** What is known of a feed now; components that look at the same one are drawn anew with each change. */
export function useSnapshot(feed: Feed | null): FeedSnapshot {
  const subscribe = useCallback((run: () => void) => feed?.subscribe(run) ?? (() => undefined), [feed]);
  return useSyncExternalStore(
    subscribe,
    () => feed?.getSnapshot() ?? waiting,
    () => waiting,
  );
}

/** Follows a session for as long as somebody looks; components with the same session share one connection. */
export function useFeed(sessionId: string | null, options: FeedOptions = {}): FeedView {
  const feed = useSharedFeed(sessionId, options)?.feed ?? null;
  return { feed, snapshot: useSnapshot(feed) };
}
