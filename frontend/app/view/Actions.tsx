// What a reader can do about an answer: stop it while it is made, or try again; and why that could not be done.
import type { ReactNode } from "react";
import type { Card } from "../card";
import { refusal } from "../refusal";
import type { Deed } from "../turns";
import { useFocusLeftToCard } from "./focus";
import { Again, Square } from "./icons";
import { useLocale } from "./locale";

interface ActionsProps {
  card: Card;
  questionId: string;
  onStop(): void;
  onRetry(): void;
}

export function Actions({ card, questionId, onStop, onRetry }: ActionsProps) {
  const { t } = useLocale();
  const { offer, busy, problem } = card;
  if (offer === null) return null;
  return (
    <div className="actions">
      {offer === "stop" ? (
        <Action key="stop" deed="stop" busy={busy} about={questionId} onPress={onStop}>
          <Square /> {busy ? t.stopping : t.stop}
        </Action>
      ) : (
        <Action key="retry" deed="retry" busy={busy} about={questionId} onPress={onRetry}>
          <Again /> {t.retry}
        </Action>
      )}
      <p className="actions-problem" role="alert" data-testid="card-problem">
        {problem && refusal(offer, problem, t)}
      </p>
    </div>
  );
}

interface ActionProps {
  deed: Deed;
  busy: boolean;
  /** The element that says which question it is about. */
  about: string;
  onPress(): void;
  children: ReactNode;
}

/** Under way it stays where it is and keeps the focus: a disabled button would lose it. */
function Action({ deed, busy, about, onPress, children }: ActionProps) {
  const ref = useFocusLeftToCard();
  return (
    <button
      ref={ref}
      type="button"
      className="quiet action"
      data-testid={deed}
      aria-disabled={busy}
      aria-describedby={about}
      onClick={() => {
        if (!busy) onPress();
      }}
    >
      {children}
    </button>
  );
}
