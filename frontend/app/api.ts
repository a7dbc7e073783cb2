// What the page asks of the server beyond what the client offers to everybody: opinions, and conversations deleted.
import { type Api, createApi } from "../client";
import { type FetchLike, requestJson } from "../client/http";

export type Rating = "up" | "down";

export interface PageApi extends Api {
  /** Keeps the reader's opinion of an answer, in place of an earlier one. */
  rate(sessionId: string, messageId: string, rating: Rating, comment?: string): Promise<void>;
  /** Deletes a conversation with its messages. */
  remove(sessionId: string): Promise<void>;
}

export interface PageApiOptions {
  baseUrl?: string;
  fetch?: FetchLike;
}

export function createPageApi({ baseUrl = "", fetch }: PageApiOptions = {}): PageApi {
  const fetcher: FetchLike = fetch ?? ((url, init) => globalThis.fetch(url, init));
  const address = (sessionId: string) => `${baseUrl}/chat/${encodeURIComponent(sessionId)}`;
  return {
    ...createApi({ baseUrl, fetch }),
    rate: async (sessionId, messageId, rating, comment) => {
      const url = `${address(sessionId)}/messages/${encodeURIComponent(messageId)}/feedback`;
      await requestJson(fetcher, url, { method: "POST", body: comment ? { rating, comment } : { rating } }, {});
    },
    remove: async (sessionId) => {
      await requestJson(fetcher, address(sessionId), { method: "DELETE" }, {});
    },
  };
}
