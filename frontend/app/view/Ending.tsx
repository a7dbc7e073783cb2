// Why there is no whole answer, in plain words; after a failure with the id to give to whoever can help.
import type { Message, MessageState } from "../../client";
import { splitSentence } from "../sentence";
import type { Turn } from "../turns";
import { useCopy } from "./copy";
import { useLocale } from "./locale";

interface EndingProps {
  turn: Turn;
  message: Message | undefined;
  state: MessageState;
}

export function Ending({ turn, message, state }: EndingProps) {
  const { t } = useLocale();
  const { messageId, outcome, old } = turn;
  const code = outcome?.reason ?? message?.failure?.reason ?? null;
  const told = splitSentence(outcome?.errorMessage || message?.failure?.sentence || "").words;
  const reason = told || (code && t.reasons[code]) || t.noAnswer;
  return (
    <div className="ending" data-state={state} data-testid="ending">
      <p className="ending-reason" role={state === "failed" && !old ? "alert" : undefined}>
        {reason}
      </p>
      {state === "failed" && messageId && <MessageId id={messageId} />}
    </div>
  );
}

function MessageId({ id }: { id: string }) {
  const { t } = useLocale();
  const [copied, copy] = useCopy(id);
  return (
    <p className="message-id">
      {t.messageId} <code>{id}</code>
      {copy && (
        <button type="button" className="small" onClick={copy}>
          {copied ? t.copied : t.copy}
        </button>
      )}
    </p>
  );
}
