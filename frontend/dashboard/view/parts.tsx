// Small parts of many views: tables, states, problems, drawers, buttons that ask twice.
import { type ReactNode, useLayoutEffect, useRef, useState } from "react";
import type { Problem } from "../../app/problem";
import { useLocale } from "./locale";

/** A table that scrolls by itself where it is too wide; its caption names it. */
export function Table({ caption, head, children, hideCaption, testId }: TableProps) {
  return (
    <div className="table-box" role="region" aria-label={caption} tabIndex={0}>
      <table data-testid={testId}>
        <caption className={hideCaption ? "hidden" : undefined}>{caption}</caption>
        <thead>
          <tr>
            {head.map((name, at) => (
              <th key={at} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

interface TableProps {
  caption: string;
  head: readonly ReactNode[];
  children: ReactNode;
  hideCaption?: boolean;
  testId?: string;
}

const SIGNS: Readonly<Record<string, string>> = {
  completed: "✓",
  failed: "✕",
  lost: "✕",
  cancelled: "■",
  running: "●",
  started: "●",
  progress: "●",
  queued: "◌",
  firing: "▲",
  resolved: "✓",
  ok: "✓",
  lives: "✓",
  revoked: "✕",
  expired: "✕",
};

/** A state in words and with a sign, so that nobody needs its colour. */
export function State({ state, reason }: { state: string | null; reason?: string | null }) {
  const { t } = useLocale();
  if (!state) return <>–</>;
  return (
    <span className="state" data-state={state}>
      <span aria-hidden="true">{SIGNS[state] ?? "·"}</span> {t.states[state] ?? state}
      {reason ? ` (${reason})` : ""}
    </span>
  );
}

export function Trouble({ problem, onAgain }: { problem: Problem | null; onAgain?: () => void }) {
  const { t } = useLocale();
  if (!problem) return null;
  const said = problem.status === 0 ? t.unreachable : problem.detail || t.refused;
  return (
    <p role="alert" className="problem" data-testid="problem">
      {said}
      {onAgain && (
        <button type="button" onClick={onAgain}>
          {t.again}
        </button>
      )}
    </p>
  );
}

/** Beside the page, above it, until it is closed; the focus goes in and comes back. */
export function Drawer({ title, onClose, children }: { title: string; onClose(): void; children: ReactNode }) {
  const { t } = useLocale();
  const dialog = useRef<HTMLDialogElement>(null);
  // Before it is taken out of the page: later, the browser gives the focus back to nobody.
  useLayoutEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    return () => {
      shown?.close();
      // Where one came from may be a row that is not drawn any more.
      if (document.activeElement === document.body) document.querySelector<HTMLElement>("main h2")?.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      className="drawer"
      aria-label={title}
      data-testid="drawer"
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === dialog.current) onClose();
      }}
    >
      <div className="drawer-inside">
        <div className="drawer-head">
          <h3>{title}</h3>
          <button type="button" onClick={onClose} data-testid="close">
            {t.close}
          </button>
        </div>
        {children}
      </div>
    </dialog>
  );
}

export function Json({ value }: { value: unknown }) {
  return (
    <pre className="json" tabIndex={0} data-testid="json">
      {JSON.stringify(value, null, 2)}
    </pre>
  );
}

/** Copies a text; says so where it did. */
export function Copy({ text }: { text: string }) {
  const { t } = useLocale();
  const [done, setDone] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone(true);
    } catch {
      // The text stands beside the button, to be copied by hand.
      setDone(false);
    }
  };
  return (
    <button type="button" onClick={() => void copy()}>
      <span aria-live="polite">{done ? t.copied : t.copy}</span>
    </button>
  );
}

/** A button for what cannot be undone: the first press asks, the second does it. */
export function Sure({ children, sure, disabled, onSure }: SureProps) {
  const { t } = useLocale();
  const [asked, setAsked] = useState(false);
  if (!asked) {
    return (
      <button type="button" disabled={disabled} onClick={() => setAsked(true)}>
        {children}
      </button>
    );
  }
  return (
    <span className="sure" role="group" aria-label={sure}>
      <button
        type="button"
        className="bad-button"
        autoFocus
        onClick={() => {
          setAsked(false);
          onSure();
        }}
      >
        {sure}
      </button>
      <button type="button" onClick={() => setAsked(false)}>
        {t.no}
      </button>
    </span>
  );
}

interface SureProps {
  children: ReactNode;
  sure: string;
  disabled?: boolean;
  onSure(): void;
}

export function More({ next, busy, onMore }: { next: unknown; busy: boolean; onMore(): void }) {
  const { t } = useLocale();
  if (next === null) return null;
  return (
    <p>
      <button type="button" disabled={busy} onClick={onMore}>
        {t.more}
      </button>
    </p>
  );
}
