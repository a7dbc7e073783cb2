// The browser's notifications of critical events: only where somebody has allowed them.
import type { SSEEvent } from "./event";

interface Browser {
  Notification?: {
    new (title: string, options: { body: string; tag: string }): unknown;
    readonly permission: string;
    requestPermission(): Promise<string>;
  };
  navigator?: { userActivation?: { isActive: boolean } };
}

const browser = globalThis as Browser;

/** Asks the user, who must have pressed something just now: a page that asks by itself asks in vain. */
export async function requestNotificationPermission(): Promise<boolean> {
  const { Notification: notices, navigator } = browser;
  if (!notices) return false;
  if (notices.permission !== "default") return notices.permission === "granted";
  if (navigator?.userActivation?.isActive === false) return false;
  try {
    return (await notices.requestPermission()) === "granted";
  } catch {
    return false;
  }
}

export function notify({ id, type, data, metadata }: SSEEvent): void {
  const { Notification: notices } = browser;
  if (metadata.priority !== "critical" || notices?.permission !== "granted") return;
  const said = [metadata.user_message, data["message"], data["title"]].find((text) => typeof text === "string");
  try {
    // The tag lets two tabs show the same event as one notification.
    new notices(type, { body: String(said ?? ""), tag: `spanfeed-${id}` });
  } catch {
    // Browsers of phones allow this to service workers only.
  }
}
