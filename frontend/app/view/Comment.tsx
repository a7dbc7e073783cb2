// Why an answer has helped or not, in the reader's own words, if they like.
import { useId, useState } from "react";
import { useLocale } from "./locale";

export function Comment({ onSend }: { onSend(text: string): Promise<void> }) {
  const { t } = useLocale();
  const [text, setText] = useState("");
  const id = useId();
  return (
    <form
      className="comment"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim()) void onSend(text.trim());
      }}
    >
      <label htmlFor={id}>{t.comment}</label>
      <input id={id} data-testid="comment" value={text} onChange={(event) => setText(event.target.value)} />
      <button type="submit" className="small" data-testid="comment-send">
        {t.send}
      </button>
    </form>
  );
}
