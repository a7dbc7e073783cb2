// The chat page: head, conversation, question.
import { useMemo, useState, useSyncExternalStore } from "react";
import type { Chat } from "../chat";
import type { Memory } from "../storage";
import type { Language } from "../texts";
import { Composer } from "./Composer";
import { Connection, useConnectionNews } from "./Connection";
import { Conversations } from "./Conversations";
import { Header } from "./Header";
import { useLanguage } from "./language";
import { LanguageContext, useLocale } from "./locale";
import { Mark } from "./icons";
import { Status } from "./Status";
import { TurnCard } from "./TurnCard";
import { useFollow } from "./follow";
import { useSteady } from "./hooks";

export function App({ chat, memory }: { chat: Chat; memory: Memory }) {
  const [language, choose] = useLanguage(memory);
  return (
    <LanguageContext value={language}>
      <Page chat={chat} memory={memory} language={language} onLanguage={choose} />
    </LanguageContext>
  );
}

const SETTLED_MS = 1_000;

interface PageProps {
  chat: Chat;
  memory: Memory;
  language: Language;
  onLanguage(language: Language): void;
}

function Page({ chat, memory, language, onLanguage }: PageProps) {
  const { t } = useLocale();
  const { turns, feed, lostAt, sending, problem, sessionId } = useSyncExternalStore(chat.subscribe, chat.getSnapshot);
  const message = (turn: (typeof turns)[number]) =>
    turn.messageId === null ? undefined : feed?.state.messages[turn.messageId];
  // A feed that has just come back may still be telling what was missed.
  const working = (feed?.status === "live" || feed?.status === "polling") && !feed.busAway;
  const live = useSteady(working, SETTLED_MS);
  const retried = useMemo(() => new Set(turns.map((turn) => turn.retryOf)), [turns]);
  const clockOffsetMs = feed?.clockOffsetMs ?? 0;
  const [listed, setListed] = useState(false);
  const news = useConnectionNews({
    status: feed?.status ?? null,
    lostAt,
    busAway: feed?.busAway ?? false,
    caughtUp: feed?.caughtUp ?? 0,
  });
  useFollow(turns.length);
  return (
    <div
      className="page"
      data-connection={feed?.status ?? "connecting"}
      data-transport={feed?.transport ?? undefined}
      data-session={sessionId ?? undefined}
    >
      <Header onLanguage={onLanguage} onNew={() => chat.startAnew()} onList={() => setListed(true)} />
      <Conversations open={listed} chat={chat} sessionId={sessionId} onClose={() => setListed(false)} />
      <Connection news={news} />
      <main className="conversation" aria-label={t.conversation}>
        {sessionId !== null && turns.length === 0 && <Welcome />}
        {turns.map((turn) => (
          <TurnCard
            key={turn.key}
            turn={turn}
            message={message(turn)}
            clockOffsetMs={clockOffsetMs}
            live={live}
            retried={turn.messageId !== null && retried.has(turn.messageId)}
            onStop={chat.stop}
            onRetry={chat.tryAgain}
            onRate={chat.rate}
            opinion={chat.opinion}
          />
        ))}
      </main>
      <Status turns={turns} message={message} clockOffsetMs={clockOffsetMs} live={live} connection={news?.text ?? null} />
      <Composer
        memory={memory}
        sending={sending}
        problem={problem}
        onAsk={(question) => chat.ask(question, language)}
        onType={() => chat.dismissProblem()}
      />
    </div>
  );
}

function Welcome() {
  const { t } = useLocale();
  return (
    <div className="welcome">
      <Mark />
      <h2>{t.emptyTitle}</h2>
      <p>{t.emptyText}</p>
    </div>
  );
}
