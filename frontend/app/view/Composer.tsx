// Where the question is written; a refusal is said here, and the draft stays.
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import type { Problem } from "../problem";
import type { Memory } from "../storage";
import type { Texts } from "../texts";
import { Arrow } from "./icons";
import { useLocale } from "./locale";

interface ComposerProps {
  memory: Memory;
  sending: boolean;
  problem: Problem | null;
  onAsk(question: string): Promise<boolean>;
  onType(): void;
}

const MAX_ROWS = 8;

export function Composer({ memory, sending, problem, onAsk, onType }: ComposerProps) {
  const { t } = useLocale();
  const [draft, setDraft] = useDraft(memory);
  const input = useRef<HTMLTextAreaElement>(null);

  const send = async () => {
    const question = draft.trim();
    if (!question || sending) return;
    setDraft(() => "");
    input.current?.focus();
    const accepted = await onAsk(question);
    if (!accepted) setDraft((since) => (since ? `${question}\n${since}` : question));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    void send();
  };
  return (
    <form
      className="composer"
      aria-label={t.question}
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <div className="problem" role="alert">
        {problem && <p>{problemText(problem, draft !== "", t)}</p>}
      </div>
      <div className="composer-box">
        <label className="hidden" htmlFor="question">
          {t.question}
        </label>
        <textarea
          id="question"
          data-testid="question"
          ref={input}
          value={draft}
          rows={Math.min(MAX_ROWS, draft.split("\n").length)}
          placeholder={t.placeholder}
          aria-describedby="question-hint"
          autoFocus
          onChange={(event) => {
            const { value } = event.target;
            setDraft(() => value);
            onType();
          }}
          onKeyDown={onKeyDown}
        />
        <button type="submit" className="send" data-testid="send" disabled={!draft.trim() || sending}>
          <Arrow />
          <span>{t.send}</span>
        </button>
      </div>
      <p className="hint" id="question-hint">
        {t.hint}
      </p>
    </form>
  );
}

/** A reload loses nothing that has been written. */
function useDraft(memory: Memory): [string, (change: (before: string) => string) => void] {
  const [draft, setDraft] = useState(() => memory.draft);
  useEffect(() => {
    memory.draft = draft;
  }, [memory, draft]);
  return [draft, setDraft];
}

function problemText({ status, detail, retryAfterMs }: Problem, kept: boolean, t: Texts): string {
  const said = detail || (status === 0 ? t.unreachable : t.refused);
  const wait = retryAfterMs ? t.retryIn(Math.ceil(retryAfterMs / 1000)) : status === 0 && kept ? t.kept : "";
  return `${said} ${wait}`.trim();
}
