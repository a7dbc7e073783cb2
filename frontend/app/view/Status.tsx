// Tells a screen reader each change of stage, and a long wait for one; nothing else.
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
}

export function Status({ turns, message, clockOffsetMs, live }: StatusProps) {
  const { t } = useLocale();
  const turn = turns.findLast((candidate) => !candidate.old);
  const heard = turn && message(turn);
  const since = turn && live ? idleSince(turn, heard) : null;
  const waiting = useLasting(since === null ? null : since - clockOffsetMs, WAITING_MS);
  return (
    <p className="hidden" role="status">
      {waiting ? t.waiting : splitSentence(heard?.sentence ?? "").words}
    </p>
  );
}
