// The stages of a message as a list that grows: what happens, for how long, and what went on inside.
import { isEnded, type Message, type Note, type Stage, type StageNode } from "../../client";
import { barOf } from "../../client/bars";
import { formatDuration, formatRunning } from "../duration";
import { splitSentence } from "../sentence";
import { Again, Check, Cross, Square } from "./icons";
import { useLocale } from "./locale";

interface ListProps {
  nodes: readonly StageNode[];
  message: Message;
  /** The server's time now; null once the message has ended and nothing ticks any more. */
  now: number | null;
}

/** Shorter waits in a queue are what every stage has. */
const QUEUE_MS = 100;

export function StageList({ nodes, message, now }: ListProps) {
  return (
    <ol className="stages">
      {nodes.map(({ stage, children }) => (
        <li key={stage.key} className="stage">
          <StageRow stage={stage} message={message} now={now} />
          {children.length > 0 && <StageList nodes={children} message={message} now={now} />}
        </li>
      ))}
    </ol>
  );
}

interface RowProps extends Pick<ListProps, "message" | "now"> {
  stage: Stage;
}

function StageRow({ stage, message, now }: RowProps) {
  const { picture, words } = splitSentence(stage.sentence);
  return (
    <div
      className="stage-row"
      data-testid="stage"
      data-type={stage.type}
      data-status={stage.status}
      data-reason={stage.reason ?? undefined}
    >
      <StageIcon stage={stage} picture={picture} />
      <span className="stage-text">
        {" "}
        <span className="stage-words">{words}</span> <StageDetail stage={stage} />
        {stage.notes.map((note) => (
          <StageNote key={note.id} note={note} />
        ))}
      </span>
      <StageBar stage={stage} message={message} now={now} />
      <StageTime stage={stage} now={now} />
    </div>
  );
}

function StageIcon({ stage, picture }: { stage: Stage; picture: string }) {
  const broken = stage.reason === "cancelled" ? <Square /> : <Cross />;
  const drawn = stage.status === "completed" ? <Check /> : stage.status === "failed" ? broken : null;
  return (
    <span className="stage-icon" aria-hidden="true">
      {drawn}
      <span className={drawn ? "hidden" : "picture"}>{picture}</span>
    </span>
  );
}

/** Where a tool looked and how much it found, how long the stage has waited for a worker, and why it has failed. */
function StageDetail({ stage }: { stage: Stage }) {
  const { t, language } = useLocale();
  const { type, queueMs, reason, data } = stage;
  const tool = type.startsWith("tool_");
  const parts = [
    tool && typeof data["collection"] === "string" ? data["collection"] : null,
    tool && typeof data["count"] === "number" ? t.found(data["count"]) : null,
    queueMs !== null && queueMs >= QUEUE_MS ? t.waited(formatDuration(queueMs, language)) : null,
    reason !== null && reason !== "cancelled" ? (t.reasons[reason] ?? reason) : null,
  ].filter((part) => part !== null);
  return parts.length > 0 ? <span className="stage-detail">{parts.join(" · ")}</span> : null;
}

function StageNote({ note }: { note: Note }) {
  const { t } = useLocale();
  const reason = note.reason ? (t.reasons[note.reason] ?? note.reason) : null;
  return (
    <span className="stage-note">
      <Again />
      {[t.attempt(note.attempt), reason].filter(Boolean).join(" · ")}
    </span>
  );
}

/** When in the message's time the stage was at work; lighter where it waited for a worker. */
function StageBar({ stage, message, now }: RowProps) {
  const bar = barOf(stage, message, now);
  const percent = (part: number) => `${(part * 100).toFixed(2)}%`;
  return (
    <span className="stage-bar" aria-hidden="true">
      {bar && bar.queued < bar.from && (
        <span className="stage-queued" style={{ left: percent(bar.queued), width: percent(bar.from - bar.queued) }} />
      )}
      {bar && <span className="stage-work" style={{ left: percent(bar.from), width: percent(bar.to - bar.from) }} />}
    </span>
  );
}

function StageTime({ stage, now }: { stage: Stage; now: number | null }) {
  const { language } = useLocale();
  if (stage.durationMs !== null) {
    return <span className="time">{formatDuration(stage.durationMs, language)}</span>;
  }
  const ticking = !isEnded(stage.status) && now !== null && stage.startedAt !== null;
  return <span className="time">{ticking ? formatRunning(now - (stage.startedAt ?? now), language) : ""}</span>;
}
