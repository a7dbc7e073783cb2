// The stages of a message as a list that grows: what happens, for how long, and what went on inside.
import { isEnded, type Note, type Stage, type StageNode } from "../../client";
import { formatDuration, formatRunning } from "../duration";
import { splitSentence } from "../sentence";
import { Again, Check, Cross, Square } from "./icons";
import { useLocale } from "./locale";

interface ListProps {
  nodes: readonly StageNode[];
  /** The server's time now; null once the message has ended and nothing ticks any more. */
  now: number | null;
}

export function StageList({ nodes, now }: ListProps) {
  return (
    <ol className="stages">
      {nodes.map(({ stage, children }) => (
        <li key={stage.key} className="stage">
          <StageRow stage={stage} now={now} />
          {children.length > 0 && <StageList nodes={children} now={now} />}
        </li>
      ))}
    </ol>
  );
}

function StageRow({ stage, now }: { stage: Stage; now: number | null }) {
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

/** Where a tool looked, and how much it found. */
function StageDetail({ stage }: { stage: Stage }) {
  const { t } = useLocale();
  if (!stage.type.startsWith("tool_")) return null;
  const { collection, count } = stage.data;
  const parts = [
    typeof collection === "string" ? collection : null,
    typeof count === "number" ? t.found(count) : null,
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

function StageTime({ stage, now }: { stage: Stage; now: number | null }) {
  const { language } = useLocale();
  if (stage.durationMs !== null) {
    return <span className="time">{formatDuration(stage.durationMs, language)}</span>;
  }
  const ticking = !isEnded(stage.status) && now !== null && stage.startedAt !== null;
  return <span className="time">{ticking ? formatRunning(now - (stage.startedAt ?? now), language) : ""}</span>;
}
