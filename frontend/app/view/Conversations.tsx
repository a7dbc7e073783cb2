// The conversations held in this browser, in a drawer: to go back to one, or to delete it.
import { useEffect, useRef, useState } from "react";
import type { Chat } from "../chat";
import type { Held } from "../lists";
import type { Problem } from "../problem";
import { refusal } from "../refusal";
import { Bin, Cross } from "./icons";
import { useLocale } from "./locale";

interface ConversationsProps {
  open: boolean;
  chat: Chat;
  sessionId: string | null;
  onClose(): void;
}

export function Conversations({ open, chat, sessionId, onClose }: ConversationsProps) {
  const { t } = useLocale();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  const go = (id: string) => {
    chat.open(id);
    onClose();
  };
  return (
    <dialog
      ref={dialog}
      className="drawer"
      data-testid="drawer"
      aria-labelledby="drawer-title"
      onClose={onClose}
      onClick={(event) => {
        // The ground around the drawer belongs to it as well.
        if (event.target === dialog.current) onClose();
      }}
    >
      {open && (
        <div className="drawer-content">
          <div className="drawer-head">
            <h2 id="drawer-title">{t.conversations}</h2>
            <button type="button" className="tool" aria-label={t.close} data-testid="drawer-close" onClick={onClose}>
              <Cross />
            </button>
          </div>
          <List chat={chat} sessionId={sessionId} onGo={go} />
        </div>
      )}
    </dialog>
  );
}

interface ListProps extends Pick<ConversationsProps, "chat" | "sessionId"> {
  onGo(sessionId: string): void;
}

function List({ chat, sessionId, onGo }: ListProps) {
  const { t } = useLocale();
  const list = useRef<HTMLUListElement>(null);
  const [held, setHeld] = useState(() => chat.held());
  const [problem, setProblem] = useState<Problem | null>(null);
  const remove = async (id: string) => {
    setProblem(await chat.remove(id));
    setHeld(chat.held());
    // The button that had the focus is gone.
    list.current?.focus();
  };
  return (
    <>
      <p className="drawer-problem" role="alert">
        {problem && refusal("remove", problem, t)}
      </p>
      {held.length === 0 && <p className="drawer-empty">{t.noConversations}</p>}
      <ul className="held" ref={list} tabIndex={-1} aria-label={t.conversations}>
        {held.map((one) => (
          <Entry key={one.sessionId} one={one} current={one.sessionId === sessionId} onGo={onGo} onRemove={remove} />
        ))}
      </ul>
    </>
  );
}

interface EntryProps {
  one: Held;
  current: boolean;
  onGo(sessionId: string): void;
  onRemove(sessionId: string): Promise<void>;
}

function Entry({ one: { sessionId, title, askedAt }, current, onGo, onRemove }: EntryProps) {
  const { t, language } = useLocale();
  const [sure, setSure] = useState(false);
  const name = title || t.untitled;
  const moment = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
  return (
    <li>
      <button
        type="button"
        className="held-title"
        data-testid="held"
        aria-current={current ? "true" : undefined}
        onClick={() => onGo(sessionId)}
      >
        <span>{name}</span>
        {askedAt > 0 && <span className="time">{moment.format(askedAt)}</span>}
      </button>
      <button
        type="button"
        className={sure ? "held-delete" : "tool"}
        data-testid="delete"
        aria-label={sure ? undefined : t.deleteConversation(name)}
        onBlur={() => setSure(false)}
        onClick={() => (sure ? void onRemove(sessionId) : setSure(true))}
      >
        {sure ? t.deleteSure : <Bin />}
      </button>
    </li>
  );
}
