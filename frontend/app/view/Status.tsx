// Tells a screen reader each change of stage, and nothing else.
import type { Message } from "../../client";
import { splitSentence } from "../sentence";
import type { Turn } from "../turns";

interface StatusProps {
  turns: readonly Turn[];
  message(turn: Turn): Message | undefined;
}

export function Status({ turns, message }: StatusProps) {
  const turn = turns.findLast((candidate) => !candidate.old);
  const sentence = (turn && message(turn)?.sentence) ?? "";
  return (
    <p className="hidden" role="status">
      {splitSentence(sentence).words}
    </p>
  );
}
