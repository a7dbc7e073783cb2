// Tells a screen reader each change of stage, a long wait for one, and what is said of the connection; nothing else.
import type { Message } from "../../client";
import { idleSince, WAITING_MS } from "../card";
import { splitSentence } from "../sentence";
import type { Turn } from "../turns";
import { useLasting } from "./hooks";
import { useLocale } from "./locale";

interface StatusProps {
  turns: readonly Turn[];
  message(turn: Turn): Message | undefined;
  clockOffsetMs: number;
  live: boolean;
  connection: string | null;
}

export function Status({ turns, message, clockOffsetMs, live, connection }: StatusProps) {
  const { t } = useLocale();
  const turn = turns.findLast((candidate) => !candidate.old);
  const heard = turn && message(turn);
  const since = turn && live ? idleSince(turn, heard) : null;
  const waiting = useLasting(since === null ? null : since - clockOffsetMs, WAITING_MS);
  return (
    <p className="hidden" role="status">
      {connection ?? (waiting ? t.waiting : splitSentence(heard?.sentence ?? "").words)}
    </p>
  );
}
