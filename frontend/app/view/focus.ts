// Keeps the keyboard's place when what had it goes away.
import { type RefObject, useEffect, useLayoutEffect, useRef } from "react";

/** For a button that may vanish while it has the focus: its card takes over. */
export function useFocusLeftToCard(): RefObject<HTMLButtonElement | null> {
  const ref = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    const button = ref.current;
    const card = button?.closest<HTMLElement>("article");
    return () => {
      if (button !== null && document.activeElement === button) card?.focus({ preventScroll: true });
    };
  }, []);
  return ref;
}

/** For a card that asks an earlier one's question again: the focus comes along. */
export function useFocusFrom(cardId: string | null): RefObject<HTMLElement | null> {
  const ref = useRef<HTMLElement>(null);
  useEffect(() => {
    const before = cardId === null ? null : document.getElementById(cardId);
    if (before?.contains(document.activeElement)) ref.current?.focus({ preventScroll: true });
    // Only when it appears: later the reader goes where they like.
  }, []);
  return ref;
}
