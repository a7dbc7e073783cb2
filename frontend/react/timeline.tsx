// The stages of one message on a time line: plain elements with names and numbers on them, and no style of its own.
import { type CSSProperties, type ReactNode, useEffect, useMemo, useState } from "react";
import { barOf } from "../client/bars";
import { isEnded, type Message, type Note, openStages, type Stage, type StageNode, stageTree } from "../client/index";

/** The parts that can be given a class of their own. */
export type TimelinePart = "root" | "list" | "stage" | "row" | "sentence" | "detail" | "note" | "bar" | "time";

export interface TimelineTexts {
  duration(ms: number): string;
  waited(time: string): string;
  attempt(number: number, reason: string | null): string;
}

export interface StageTimelineProps {
  /** Of `useChatRun`, or of a feed's snapshot; nothing is drawn while it is null. */
  message: Message | null;
  /** Server time minus local time, as the snapshot has it. */
  clockOffsetMs?: number;
  /** The server's time; without it the line ticks by itself while a stage is open. */
  now?: number;
  classNames?: Partial<Record<TimelinePart, string>>;
  texts?: Partial<TimelineTexts>;
  /** Draws what a stage says; its sentence when left out. */
  renderSentence?: (stage: Stage) => ReactNode;
  label?: string;
}

const TICK_MS = 100;
/** Shorter waits in a queue are what every stage has. */
const QUEUE_MS = 100;

const english: TimelineTexts = {
  duration: (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`),
  waited: (time) => `waited ${time}`,
  attempt: (number, reason) => `attempt ${number}${reason ? `: ${reason}` : ""}`,
};

interface Drawing extends Pick<StageTimelineProps, "classNames" | "renderSentence"> {
  message: Message;
  now: number;
  texts: TimelineTexts;
}

export function StageTimeline(props: StageTimelineProps): ReactNode {
  const { message, clockOffsetMs = 0, now, classNames, texts, renderSentence, label } = props;
  const open = message?.state === "running" && openStages(message).length > 0;
  const local = useTick(open && now === undefined);
  const tree = useMemo(() => (message ? stageTree(message) : []), [message]);
  if (!message) return null;
  const said = { ...english, ...texts };
  const drawing = { message, now: now ?? local + clockOffsetMs, texts: said, classNames, renderSentence } as Drawing;
  return (
    <div className={classNames?.root} data-spanfeed="timeline" data-state={message.state} role="group" aria-label={label}>
      <Stages nodes={tree} drawing={drawing} />
    </div>
  );
}

function Stages({ nodes, drawing }: { nodes: readonly StageNode[]; drawing: Drawing }): ReactNode {
  const { classNames } = drawing;
  return (
    <ol className={classNames?.list}>
      {nodes.map(({ stage, children }) => (
        <li
          key={stage.key}
          className={classNames?.stage}
          data-type={stage.type}
          data-status={stage.status}
          data-reason={stage.reason ?? undefined}
        >
          <Row stage={stage} drawing={drawing} />
          {children.length > 0 && <Stages nodes={children} drawing={drawing} />}
        </li>
      ))}
    </ol>
  );
}

function Row({ stage, drawing }: { stage: Stage; drawing: Drawing }): ReactNode {
  const { classNames, texts, now, message, renderSentence } = drawing;
  const ticking = !isEnded(stage.status) && message.state === "running" && stage.startedAt !== null;
  const took = stage.durationMs ?? (ticking ? Math.max(0, now - (stage.startedAt ?? now)) : null);
  const { queueMs } = stage;
  return (
    <div className={classNames?.row} data-part="row">
      <span className={classNames?.sentence} data-part="sentence">
        {renderSentence ? renderSentence(stage) : stage.sentence}
      </span>{" "}
      {queueMs !== null && queueMs >= QUEUE_MS && (
        <span className={classNames?.detail} data-part="detail">
          {texts.waited(texts.duration(queueMs))}
        </span>
      )}
      {stage.notes.map((note: Note) => (
        <span key={note.id} className={classNames?.note} data-part="note">
          {texts.attempt(note.attempt, note.reason)}
        </span>
      ))}
      <span className={classNames?.bar} data-part="bar" style={barStyle(stage, drawing)} aria-hidden="true" />
      <span className={classNames?.time} data-part="time">
        {took === null ? "" : texts.duration(took)}
      </span>
    </div>
  );
}

/** Numbers from 0 to 1, from which a style sheet draws a bar. */
function barStyle(stage: Stage, { message, now }: Drawing): CSSProperties {
  const bar = barOf(stage, message, now);
  const numbers = bar && { "--spanfeed-queued": bar.queued, "--spanfeed-from": bar.from, "--spanfeed-to": bar.to };
  return (numbers ?? {}) as CSSProperties;
}

/** The local time, renewed while something is open. */
function useTick(running: boolean): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!running) return undefined;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, [running]);
  return now;
}
