// Why a card's button could not do what it says, in the reader's language.
import type { Problem } from "./problem";
import type { Texts } from "./texts";
import type { Deed } from "./turns";

/** What a button does: a card's deed, or giving an opinion or deleting a conversation. */
export type Wanted = Deed | "rate" | "remove";

export function refusal(deed: Wanted, { status, detail, retryAfterMs }: Problem, t: Texts): string {
  const wait = retryAfterMs ? t.retryIn(Math.ceil(retryAfterMs / 1000)) : "";
  return `${sentence(deed, status, t) ?? (detail || t.refused)} ${wait}`.trim();
}

function sentence(deed: Wanted, status: number, t: Texts): string | null {
  switch (status) {
    case 0:
      return t.unreachable;
    case 409:
      return deed === "stop" ? t.notStopped : deed === "retry" ? t.notRetried : null;
    case 429:
      return t.tooMany;
    case 503:
      return t.unavailable;
    default:
      return null;
  }
}
