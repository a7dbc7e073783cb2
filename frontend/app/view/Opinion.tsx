// What a reader can do with an answer: copy it, and say whether it has helped.
import { type ReactNode, useState } from "react";
import type { Rating } from "../api";
import type { Problem } from "../problem";
import { refusal } from "../refusal";
import { Copy, Thumb } from "./icons";
import { useLocale } from "./locale";
import { useCopy } from "./copy";

interface OpinionProps {
  text: string;
  questionId: string;
  /** What was said before. */
  before: Rating | null;
  /** Null where there is nothing to rate. */
  onRate: ((rating: Rating) => Promise<Problem | null>) | null;
}

export function Opinion({ text, questionId, before, onRate }: OpinionProps) {
  const { t } = useLocale();
  const [copied, copy] = useCopy(text);
  const [given, setGiven] = useState(before);
  const [told, setTold] = useState<Problem | "thanks" | null>(null);
  const rate = async (rating: Rating) => {
    if (onRate === null || rating === given) return;
    setGiven(rating);
    setTold(null);
    const problem = await onRate(rating);
    if (problem) setGiven(given);
    setTold(problem ?? "thanks");
  };
  const thumb = (rating: Rating, label: string) => (
    <Tool name={rating} label={label} about={questionId} pressed={given === rating} onPress={() => void rate(rating)}>
      <Thumb down={rating === "down"} />
    </Tool>
  );
  return (
    <div className="tools">
      {copy && (
        <Tool name="copy" label={copied ? t.copied : t.copyAnswer} about={questionId} onPress={copy}>
          <Copy done={copied} />
        </Tool>
      )}
      {onRate && thumb("up", t.helpful)}
      {onRate && thumb("down", t.notHelpful)}
      <span className="tools-said">{told === "thanks" ? t.thanks : ""}</span>
      <span className="tools-problem" role="alert">
        {told !== null && told !== "thanks" && refusal("rate", told, t)}
      </span>
    </div>
  );
}

interface ToolProps {
  name: string;
  label: string;
  about: string;
  pressed?: boolean;
  onPress(): void;
  children: ReactNode;
}

function Tool({ name, label, about, pressed, onPress, children }: ToolProps) {
  return (
    <button
      type="button"
      className="tool"
      data-testid={name}
      aria-label={label}
      aria-describedby={about}
      aria-pressed={pressed}
      title={label}
      onClick={onPress}
    >
      {children}
    </button>
  );
}
