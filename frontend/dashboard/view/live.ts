// Every event while it happens, over the operators' stream: one connection for whoever looks.
import { useEffect, useRef, useSyncExternalStore } from "react";
import type { ConnectionState } from "../../client/stats";
import type { SSEEvent } from "../../react/event";
import { SSEEventManager } from "../../react/manager";

const stream = new SSEEventManager({ admin: true, notifications: false });
const GATHER_MS = 200;

/** Calls back with what came meanwhile, some times a second at most. */
export function useStream(open: boolean, hear: (events: SSEEvent[]) => void): ConnectionState {
  const latest = useRef(hear);
  useEffect(() => {
    latest.current = hear;
  });
  useEffect(() => {
    if (!open) return undefined;
    let gathered: SSEEvent[] = [];
    let timer = 0;
    const tell = () => {
      timer = 0;
      const events = gathered;
      gathered = [];
      latest.current(events);
    };
    const end = stream.on("*", (event) => {
      gathered.push(event);
      timer ||= window.setTimeout(tell, GATHER_MS);
    });
    const letGo = stream.hold();
    return () => {
      end();
      letGo();
      window.clearTimeout(timer);
    };
  }, [open]);
  return useSyncExternalStore(stream.subscribe, stream.getConnectionState);
}
