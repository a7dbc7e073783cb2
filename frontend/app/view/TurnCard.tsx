// One question and its answer: stages while it runs, words as they come, sources at the end.
import { memo, useCallback, useMemo } from "react";
import type { Message } from "../../client";
import { cardOf } from "../card";
import { answerOf, type Turn, turnState } from "../turns";
import type { Rating } from "../api";
import type { Problem } from "../problem";
import { Actions } from "./Actions";
import { AnswerText } from "./AnswerText";
import { Ending } from "./Ending";
import { useFocusFrom } from "./focus";
import { useNow } from "./hooks";
import { useLocale } from "./locale";
import { Opinion } from "./Opinion";
import { Progress } from "./Progress";
import { Sources } from "./Sources";

interface TurnCardProps {
  turn: Turn;
  message: Message | undefined;
  /** Server time minus local time. */
  clockOffsetMs: number;
  /** News come through. */
  live: boolean;
  /** A later turn asks the same again. */
  retried: boolean;
  onStop(messageId: string): void;
  onRetry(messageId: string): void;
  onRate(messageId: string, rating: Rating, comment?: string): Promise<Problem | null>;
  /** What the reader has thought of it before. */
  opinion(messageId: string): Rating | null;
}

const domId = (messageId: string) => `card-${messageId}`;

export const TurnCard = memo(function TurnCard(props: TurnCardProps) {
  const { turn, message, clockOffsetMs, live, retried, onStop, onRetry, onRate, opinion } = props;
  const { t } = useLocale();
  const { messageId } = turn;
  const now = useNow(turnState(turn, message) === "running") + clockOffsetMs;
  const card = cardOf(turn, message, { now, live, retried });
  const { state } = card;
  const running = state === "running";
  const headingId = `${turn.key}-question`;
  const ref = useFocusFrom(turn.retryOf === null ? null : domId(turn.retryOf));
  return (
    <article
      ref={ref}
      id={messageId === null ? undefined : domId(messageId)}
      className="card"
      tabIndex={-1}
      data-testid="card"
      data-message-id={messageId ?? undefined}
      data-state={state}
      data-waiting={card.waitedMs === null ? undefined : "true"}
      data-refused={turn.outcome?.refused ? "true" : undefined}
      aria-labelledby={headingId}
    >
      <h2 className="question" id={headingId}>
        {turn.question ?? <em>{t.askedElsewhere}</em>}
      </h2>
      <div className="reply">
        <Progress
          message={message}
          outcome={turn.outcome}
          state={state}
          waitedMs={card.waitedMs}
          now={now}
          startsOpen={!turn.old}
        />
        {card.partial && (
          <p className="origin" data-testid="partial">
            {state === "cancelled" ? t.stoppedPartial : t.partial}
          </p>
        )}
        <Answer turn={turn} message={message} running={running} partial={card.partial} />
        {(state === "failed" || state === "cancelled") && <Ending turn={turn} message={message} state={state} />}
        {messageId !== null && !running && answerOf(turn, message) !== "" && (
          <Opinion
            text={answerOf(turn, message)}
            questionId={headingId}
            before={opinion(messageId)}
            onRate={state === "answered" ? (rating, comment) => onRate(messageId, rating, comment) : null}
          />
        )}
        {messageId !== null && (
          <Actions
            card={card}
            questionId={headingId}
            onStop={() => onStop(messageId)}
            onRetry={() => onRetry(messageId)}
          />
        )}
      </div>
    </article>
  );
});

interface AnswerProps extends Pick<TurnCardProps, "turn" | "message"> {
  running: boolean;
  partial: boolean;
}

function Answer({ turn, message, running, partial }: AnswerProps) {
  const { t } = useLocale();
  const { outcome, key } = turn;
  const text = answerOf(turn, message);
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
        data-partial={partial ? "true" : undefined}
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
