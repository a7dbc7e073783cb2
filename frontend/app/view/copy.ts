// Puts a text on the clipboard, and says for a moment that it is there.
import { useEffect, useState } from "react";

const SAID_MS = 2_000;

/** Whether it has just been copied, and what copies it; null where the browser lets no page copy. */
export function useCopy(text: string): [boolean, (() => void) | null] {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = window.setTimeout(() => setCopied(false), SAID_MS);
    return () => window.clearTimeout(timer);
  }, [copied]);
  const copy = () =>
    void navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  return [copied, "clipboard" in navigator ? copy : null];
}
