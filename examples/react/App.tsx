// A chat beside the news of its user: needs react, react-dom and spanfeed-react, and any bundler.
import { type FormEvent, StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { SSEProvider, sseEventManager, useChatRun, useSSE } from "spanfeed-react";
import { createApi } from "spanfeed-react/client";

const baseUrl = "";
// Your own server makes this token with POST /api/v1/events/token.
sseEventManager.configure({ baseUrl, getToken: async () => (await fetch("/my/events-token")).text() });

function Chat({ sessionId }: { sessionId: string }) {
  const { ask, cancel, running, sentence, answer, document, error } = useChatRun(sessionId, { baseUrl });
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    void ask(String(new FormData(event.currentTarget).get("question"))).catch(() => undefined);
  };
  return (
    <form onSubmit={send}>
      <input name="question" defaultValue="How do I add a document?" />
      {!running && <button type="submit">Send</button>}
      {running && <button type="button" onClick={() => void cancel().catch(() => undefined)}>Stop</button>}
      <p role="status">{error?.message ?? sentence}</p>
      <pre>{answer}</pre>
      <ul>{document?.sources?.map(({ title }, at) => <li key={at}>{title}</li>)}</ul>
    </form>
  );
}

function News() {
  const { on, isConnected, requestNotificationPermission } = useSSE();
  const [news, setNews] = useState<string[]>([]);
  useEffect(() => on("document.*", ({ type }) => setNews((before) => [...before, type].slice(-5))), [on]);
  const said = isConnected ? news.join(", ") || "no news" : "connecting";
  return <button onClick={() => void requestNotificationPermission()}>{said}</button>;
}

const { session_id } = await createApi({ baseUrl }).openSession();
createRoot(document.body.appendChild(document.createElement("main"))).render(
  <StrictMode>
    <Chat sessionId={session_id} />
    <SSEProvider autoConnect><News /></SSEProvider>
  </StrictMode>,
);
