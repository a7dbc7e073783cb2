// One feed for all components that look at the same session with the same credentials.
import { type Api, type ConnectOptions, connect, createApi, type Feed } from "../client/index";
import { Alarm, systemClock } from "../client/clock";
import { type Token, tokenKeeper } from "../client/http";
import { renewed } from "./renewed";

export type FeedOptions = Omit<ConnectOptions, "sessionId">;

export interface SharedFeed {
  key: string;
  feed: Feed;
  api: Api;
  /** Asks once more with a new token where the present one is not accepted any more. */
  ask<T>(request: (api: Api) => Promise<T>): Promise<T>;
}

interface Kept {
  shared: SharedFeed;
  holders: number;
  letGo: Alarm;
}

const kept = new Map<string, Kept>();

const named = (token: Token | undefined): string | null => (typeof token === "string" ? token : null);

/** Functions are not told apart: they are made anew with each rendering. */
export function feedKey(sessionId: string, { baseUrl, apiKey, token, transports }: FeedOptions): string {
  return JSON.stringify([sessionId, baseUrl ?? "", apiKey ?? null, named(token), transports ?? null]);
}

function open(key: string, sessionId: string, options: FeedOptions): SharedFeed {
  const keeper = tokenKeeper(options.token, options.getToken);
  const { baseUrl, apiKey, fetch } = options;
  const api = createApi({ baseUrl, apiKey, fetch, token: keeper.token });
  return { key, feed: connect({ ...options, sessionId }), api, ask: (request) => renewed(keeper, () => request(api)) };
}

/** The feed closes a moment after all have let go, so that StrictMode's second mount finds it still there. */
export function holdFeed(key: string, sessionId: string, options: FeedOptions): [SharedFeed, () => void] {
  const letGo = new Alarm(options.clock ?? systemClock);
  const one = kept.get(key) ?? { shared: open(key, sessionId, options), holders: 0, letGo };
  kept.set(key, one);
  one.holders += 1;
  one.letGo.clear();
  const release = () => {
    one.holders -= 1;
    if (one.holders > 0) return;
    one.letGo.set(0, () => {
      kept.delete(key);
      one.shared.feed.close();
    });
  };
  return [one.shared, release];
}
