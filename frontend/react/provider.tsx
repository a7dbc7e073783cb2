// Gives a tree of components one stream of events.
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useRef } from "react";
import { useConnectionState } from "./connection";
import { type SSEEventManager, sseEventManager } from "./manager";

export interface SSEContextValue
  extends Pick<
    SSEEventManager,
    | "connect"
    | "disconnect"
    | "on"
    | "off"
    | "addEventListener"
    | "removeEventListener"
    | "onCategory"
    | "offCategory"
    | "onHighPriority"
    | "getConnectionState"
    | "getConnectionStats"
    | "requestNotificationPermission"
    | "triggerTestEvent"
    | "getSSEStats"
  > {
  manager: SSEEventManager;
  isConnected: boolean;
  connected: boolean;
  connectionState: "connecting" | "open" | "closed";
}

export interface SSEProviderProps {
  /** False: the stream opens when somebody calls `connect`. */
  autoConnect?: boolean;
  /** Another than `sseEventManager`. */
  manager?: SSEEventManager;
  children?: ReactNode;
}

const Context = createContext<SSEContextValue | null>(null);

/** The stream ends with the last provider; its position is kept, and the next one goes on from there. */
export function SSEProvider({ autoConnect = true, manager = sseEventManager, children }: SSEProviderProps): ReactNode {
  const letGo = useRef<(() => void) | null>(null);
  const connect = useCallback(() => {
    const before = letGo.current;
    letGo.current = manager.hold();
    before?.();
  }, [manager]);
  useEffect(() => {
    if (autoConnect) connect();
    return () => {
      letGo.current?.();
      letGo.current = null;
    };
  }, [autoConnect, connect]);
  const connectionState = useConnectionState(manager);
  const value = useMemo(() => {
    const { disconnect, on, off, addEventListener, removeEventListener, onCategory, offCategory } = manager;
    const { onHighPriority, getConnectionState, getConnectionStats } = manager;
    const { requestNotificationPermission, triggerTestEvent, getSSEStats } = manager;
    const asking = { requestNotificationPermission, triggerTestEvent, getSSEStats };
    const isConnected = connectionState === "open";
    const listening = { on, off, addEventListener, removeEventListener, onCategory, offCategory, onHighPriority };
    const counts = { getConnectionState, getConnectionStats };
    const state = { manager, isConnected, connected: isConnected, connectionState };
    return { connect, disconnect, ...listening, ...asking, ...counts, ...state };
  }, [manager, connect, connectionState]);
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

/** The functions stay the same for as long as the provider lives. Throws Error outside a provider. */
export function useSSE(): SSEContextValue {
  const value = useContext(Context);
  if (!value) throw new Error("useSSE must be used within an SSEProvider");
  return value;
}
