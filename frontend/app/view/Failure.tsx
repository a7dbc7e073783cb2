// Why there is no answer, in plain words, with the id to give to whoever can help.
import { useState } from "react";
import type { Message } from "../../client";
import { splitSentence } from "../sentence";
import type { Turn } from "../turns";
import { useLocale } from "./locale";

export function Failure({ turn, message }: { turn: Turn; message: Message | undefined }) {
  const { t } = useLocale();
  const code = turn.outcome?.reason ?? message?.failure?.reason ?? null;
  const told = splitSentence(turn.outcome?.errorMessage || message?.failure?.sentence || "").words;
  const reason = told || (code && t.reasons[code]) || t.noAnswer;
  const partial = Boolean(turn.outcome?.answer || message?.answer.text);
  return (
    <div className="failure" role={turn.old ? undefined : "alert"}>
      <p className="failure-reason">{reason}</p>
      {partial && <p>{t.partial}</p>}
      {turn.messageId && <MessageId id={turn.messageId} />}
    </div>
  );
}

function MessageId({ id }: { id: string }) {
  const { t } = useLocale();
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(id);
      setCopied(true);
    } catch {
      setCopied(false);
    }
  };
  return (
    <p className="message-id">
      {t.messageId} <code>{id}</code>
      {"clipboard" in navigator && (
        <button type="button" className="small" onClick={() => void copy()}>
          {copied ? t.copied : t.copy}
        </button>
      )}
    </p>
  );
}
