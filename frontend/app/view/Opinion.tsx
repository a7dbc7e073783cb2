// What a reader can do with an answer: copy it, and say whether it has helped.
import { type ReactNode, useRef, useState } from "react";
import type { Rating } from "../api";
import type { Problem } from "../problem";
import { refusal } from "../refusal";
import { Copy, Thumb } from "./icons";
import { Comment } from "./Comment";
import { useCopy } from "./copy";
import { useLocale } from "./locale";

interface OpinionProps {
  text: string;
  questionId: string;
  /** What was said before. */
  before: Rating | null;
  /** Null where there is nothing to rate. */
  onRate: ((rating: Rating, comment?: string) => Promise<Problem | null>) | null;
}

export function Opinion({ text, questionId, before, onRate }: OpinionProps) {
  const { t } = useLocale();
  const tools = useRef<HTMLDivElement>(null);
  const [copied, copy] = useCopy(text);
  const [given, setGiven] = useState(before);
  const [told, setTold] = useState<Problem | "thanks" | "commented" | null>(null);
  const rate = async (rating: Rating) => {
    if (onRate === null || rating === given) return;
    setGiven(rating);
    setTold(null);
    const problem = await onRate(rating);
    if (problem) setGiven(given);
    setTold(problem ?? "thanks");
  };
  const comment = async (text: string) => {
    if (onRate === null || given === null) return;
    const refused = await onRate(given, text);
    setTold(refused ?? "commented");
    // The field goes away: the keyboard stays with the opinion.
    if (!refused) tools.current?.querySelector<HTMLElement>('[aria-pressed="true"]')?.focus();
  };
  const problem = told === null || told === "thanks" || told === "commented" ? null : told;
  const thumb = (rating: Rating, label: string) => (
    <Tool name={rating} label={label} about={questionId} pressed={given === rating} onPress={() => void rate(rating)}>
      <Thumb down={rating === "down"} />
    </Tool>
  );
  return (
    <div className="tools" ref={tools}>
      {copy && (
        <Tool name="copy" label={copied ? t.copied : t.copyAnswer} about={questionId} onPress={copy}>
          <Copy done={copied} />
        </Tool>
      )}
      {onRate && thumb("up", t.helpful)}
      {onRate && thumb("down", t.notHelpful)}
      <span className="tools-said">{told === null || problem ? "" : t.thanks}</span>
      <span className="tools-problem" role="alert">
        {problem && refusal("rate", problem, t)}
      </span>
      {/* Asked for once an opinion has been given here, not of every old answer; kept where it could not be sent. */}
      {given !== null && told !== null && told !== "commented" && <Comment onSend={comment} />}
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
