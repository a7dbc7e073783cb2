// Why a card's button could not do what it says, in the reader's language.
import type { Problem } from "./problem";
import type { Texts } from "./texts";
import type { Deed } from "./turns";

export function refusal(deed: Deed, { status, detail, retryAfterMs }: Problem, t: Texts): string {
  const wait = retryAfterMs ? t.retryIn(Math.ceil(retryAfterMs / 1000)) : "";
  return `${sentence(deed, status, t) ?? (detail || t.refused)} ${wait}`.trim();
}

function sentence(deed: Deed, status: number, t: Texts): string | null {
  switch (status) {
    case 0:
      return t.unreachable;
    case 409:
      return deed === "stop" ? t.notStopped : t.notRetried;
    case 429:
      return t.tooMany;
    case 503:
      return t.unavailable;
    default:
      return null;
  }
}
