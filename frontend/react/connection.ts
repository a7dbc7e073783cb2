// Whether something is connected, as a hook.
import { useCallback, useSyncExternalStore } from "react";
import type { ConnectionState } from "../client/index";
import { sseEventManager } from "./manager";

export interface Connected {
  getConnectionState(): ConnectionState;
  subscribe(listener: () => void): () => void;
}

/** Of a feed or a manager; of `sseEventManager` when left out, `closed` while it is null. */
export function useConnectionState(source: Connected | null = sseEventManager): ConnectionState {
  const subscribe = useCallback((run: () => void) => source?.subscribe(run) ?? (() => undefined), [source]);
  return useSyncExternalStore(
    subscribe,
    () => source?.getConnectionState() ?? "closed",
    () => "closed",
  );
}
