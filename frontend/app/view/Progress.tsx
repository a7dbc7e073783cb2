// What an answer card says about its work: one line, and the stages behind it.
import { type ReactNode, useMemo } from "react";
import { elapsedMs, type Message, type MessageState, stageTree } from "../../client";
import { formatDuration, formatRunning } from "../duration";
import { splitSentence } from "../sentence";
import type { Outcome } from "../turns";
import { useClosingOnce } from "./closing";
import { Check, Chevron, Cross, Square } from "./icons";
import { useLocale } from "./locale";
import { StageList } from "./StageList";

interface ProgressProps {
  message: Message | undefined;
  outcome: Outcome | null;
  state: MessageState;
  waitedMs: number | null;
  /** The server's time now. */
  now: number;
  startsOpen: boolean;
}

export function Progress({ message, outcome, state, waitedMs, now, startsOpen }: ProgressProps) {
  const [open, onToggle] = useClosingOnce(startsOpen, state === "answered");
  const tree = useMemo(() => (message ? stageTree(message) : []), [message]);
  const running = state === "running";
  const summary = <Summary message={message} outcome={outcome} state={state} waitedMs={waitedMs} now={now} />;
  if (!message || tree.length === 0) return running || state === "answered" ? summary : null;
  return (
    <details className="progress" open={open} onToggle={(event) => onToggle(event.currentTarget.open)}>
      <summary>
        {summary}
        <Chevron />
      </summary>
      <StageList nodes={tree} message={message} now={running && message.state === "running" ? now : null} />
    </details>
  );
}

function Summary({ message, outcome, state, waitedMs, now }: Omit<ProgressProps, "startsOpen">) {
  const { t, language } = useLocale();
  if (waitedMs !== null) return <HeadLine state={state} words={t.waiting} time={formatRunning(waitedMs, language)} />;
  const elapsed = message ? elapsedMs(message, now) : null;
  if (state === "running") {
    const time = elapsed === null ? null : formatRunning(elapsed, language);
    return <HeadLine state={state} words={message?.sentence || t.working} time={time} />;
  }
  const took = message?.endedAt != null && elapsed !== null ? elapsed : (outcome?.tookMs ?? null);
  const known = took === null ? null : formatDuration(took, language);
  const [plain, timed] = {
    answered: [t.answered, t.answeredIn] as const,
    failed: [t.failed, t.failedAfter] as const,
    cancelled: [t.stopped, t.stoppedAfter] as const,
  }[state];
  const from = state === "answered" && outcome?.sources.length ? ` · ${t.fromSources(outcome.sources.length)}` : "";
  return <HeadLine state={state} words={(known === null ? plain : timed(known)) + from} time={null} />;
}

const signs: Record<MessageState, ReactNode> = {
  running: <span className="spinner" />,
  answered: <Check />,
  failed: <Cross />,
  cancelled: <Square />,
};

function HeadLine({ state, words, time }: { state: MessageState; words: string; time: string | null }) {
  return (
    <span className="headline" data-state={state}>
      <span className="sign" aria-hidden="true">
        {signs[state]}
      </span>
      <span className="headline-words">{splitSentence(words).words}</span>
      {time !== null && <span className="time">{time}</span>}
    </span>
  );
}
