// One message of a chat from the question to the answer, as a hook.
import { useCallback, useEffect, useRef, useState } from "react";
import type { Accepted, Api, Cancelled, FeedStatus, Message, MessageDocument } from "../client/index";
import { useSharedFeed, useSnapshot } from "./feed";
import type { FeedOptions, SharedFeed } from "./shared";

export interface ChatRunOptions extends FeedOptions {
  /** Which message; the one asked last, or else the session's newest, when left out. */
  messageId?: string;
  language?: string;
}

export interface ChatRun {
  status: FeedStatus;
  message: Message | null;
  /** The message's record, with its sources; null until the message has ended. */
  document: MessageDocument | null;
  running: boolean;
  /** What happens now, in the server's words. */
  sentence: string;
  /** What has been heard of the answer, and the whole answer once it is there. */
  answer: string;
  /** Why the last request failed; null after one that did not. */
  error: Error | null;
  /** These reject with the client's HttpError, and with Error while there is no session. */
  ask(message: string): Promise<Accepted>;
  cancel(): Promise<Cancelled>;
  retry(): Promise<Accepted>;
}

export function useChatRun(sessionId: string | null, options: ChatRunOptions = {}): ChatRun {
  const { messageId: wished, language, ...feedOptions } = options;
  const shared = useSharedFeed(sessionId, feedOptions);
  const { status, state } = useSnapshot(shared?.feed ?? null);
  const [own, setOwn] = useState<{ session: string; id: string } | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const id = wished ?? (own?.session === sessionId ? own.id : state.order.at(-1)) ?? null;
  const message = (id !== null && state.messages[id]) || null;
  const ended = message !== null && message.state !== "running";
  const document = useDocument(shared, sessionId, ended ? id : null, setError);
  const now = useRef({ shared, sessionId, id, language });
  useEffect(() => {
    now.current = { shared, sessionId, id, language };
  });
  const request = useCallback(async <T>(send: (api: Api, session: string) => Promise<T>): Promise<T> => {
    const { shared: given, sessionId: session } = now.current;
    try {
      if (!given || session === null) throw new Error("There is no session to ask in yet");
      const reply = await given.ask((api) => send(api, session));
      setError(null);
      return reply;
    } catch (reason) {
      setError(reason as Error);
      throw reason;
    }
  }, []);
  const accepted = useCallback((reply: Accepted) => {
    setOwn({ session: reply.session_id, id: reply.message_id });
    return reply;
  }, []);
  const ask = useCallback(
    async (text: string) => {
      const spoken = now.current.language === undefined ? {} : { language: now.current.language };
      return accepted(await request((api, session_id) => api.ask({ message: text, session_id, ...spoken })));
    },
    [request, accepted],
  );
  const cancel = useCallback(() => request((api, session) => api.cancel(session, now.current.id ?? "")), [request]);
  const retry = useCallback(
    async () => accepted(await request((api, session) => api.retry(session, now.current.id ?? ""))),
    [request, accepted],
  );
  const answer = document?.answer ?? message?.answer.text ?? "";
  const running = message ? !ended : id !== null;
  return { status, message, document, running, sentence: message?.sentence ?? "", answer, error, ask, cancel, retry };
}

/** Fetches an ended message's record, once. */
function useDocument(
  shared: SharedFeed | null,
  sessionId: string | null,
  id: string | null,
  setError: (error: Error) => void,
): MessageDocument | null {
  const [document, setDocument] = useState<MessageDocument | null>(null);
  useEffect(() => {
    if (!shared || sessionId === null || id === null) return undefined;
    let gone = false;
    shared
      .ask((api) => api.message(sessionId, id))
      .then((found) => gone || setDocument(found))
      .catch((error: Error) => gone || setError(error));
    return () => {
      gone = true;
    };
  }, [shared, sessionId, id, setError]);
  return document?.message_id === id ? document : null;
}
