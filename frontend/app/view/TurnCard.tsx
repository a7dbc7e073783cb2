// One question and its answer: stages while it runs, words as they come, sources at the end.
import { memo, useCallback, useMemo } from "react";
import type { Message } from "../../client";
import { type Turn, turnState } from "../turns";
import { AnswerText } from "./AnswerText";
import { Failure } from "./Failure";
import { useNow } from "./hooks";
import { useLocale } from "./locale";
import { Progress } from "./Progress";
import { Sources } from "./Sources";

interface TurnCardProps {
  turn: Turn;
  message: Message | undefined;
  /** Server time minus local time. */
  clockOffsetMs: number;
}

export const TurnCard = memo(function TurnCard({ turn, message, clockOffsetMs }: TurnCardProps) {
  const { t } = useLocale();
  const state = turnState(turn, message);
  const running = state === "running";
  const now = useNow(running) + clockOffsetMs;
  const headingId = `${turn.key}-question`;
  return (
    <article
      className="card"
      data-testid="card"
      data-message-id={turn.messageId ?? undefined}
      data-state={state}
      data-refused={turn.outcome?.refused ? "true" : undefined}
      aria-labelledby={headingId}
    >
      <h2 className="question" id={headingId}>
        {turn.question ?? <em>{t.askedElsewhere}</em>}
      </h2>
      <div className="reply">
        <Progress message={message} state={state} now={now} startsOpen={!turn.old} />
        <Answer turn={turn} message={message} running={running} />
        {state === "failed" && <Failure turn={turn} message={message} />}
      </div>
    </article>
  );
});

function Answer({ turn, message, running }: { turn: Turn; message: Message | undefined; running: boolean }) {
  const { t } = useLocale();
  const { outcome, key } = turn;
  const text = outcome?.answer || message?.answer.text || "";
  const sourceId = useCallback((number: number) => `${key}-source-${number}`, [key]);
  const numbers = useMemo(
    () => (outcome ? new Set(outcome.sources.map((source, index) => source.number ?? index + 1)) : null),
    [outcome],
  );
  return (
    <>
      {outcome?.extractive && !outcome.refused && outcome.sources.length > 0 && (
        <p className="origin">{t.quoted}</p>
      )}
      <div
        className="answer"
        data-testid="answer"
        data-streaming={running && text !== "" ? "true" : undefined}
        role="log"
        aria-label={t.answer}
        aria-busy={running}
      >
        <AnswerText text={text} numbers={numbers} sourceId={sourceId} />
      </div>
      <Sources sources={outcome?.sources ?? []} sourceId={sourceId} />
    </>
  );
}
