// Time on the page: a tick while something runs, and a wish that lasts before it is granted.
import { useEffect, useRef, useState } from "react";

const TICK_MS = 100;
const CALM_TICK_MS = 1000;

/** The local time, renewed while `running`; less often for who asked for less motion. */
export function useNow(running: boolean): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!running) return undefined;
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    setNow(Date.now());
    const timer = window.setInterval(() => setNow(Date.now()), calm ? CALM_TICK_MS : TICK_MS);
    return () => window.clearInterval(timer);
  }, [running]);
  return now;
}

/** True once `value` has been true for `ms`; false as soon as it is not. */
export function useSteady(value: boolean, ms: number): boolean {
  const [steady, setSteady] = useState(false);
  useEffect(() => {
    setSteady(false);
    if (!value) return undefined;
    const timer = window.setTimeout(() => setSteady(true), ms);
    return () => window.clearTimeout(timer);
  }, [value, ms]);
  return value && steady;
}

/** True once `since` lies `ms` back; at once false when there is no such time. */
export function useLasting(since: number | null, ms: number): boolean {
  const [due, setDue] = useState<number | null>(null);
  useEffect(() => {
    if (since === null) return undefined;
    const timer = window.setTimeout(() => setDue(since), Math.max(0, since + ms - Date.now()));
    return () => window.clearTimeout(timer);
  }, [since, ms]);
  return since !== null && due === since;
}

/** True for `ms` once `trouble`, which was, is over. */
export function useRelief(trouble: boolean, ms: number): boolean {
  const [relieved, setRelieved] = useState(false);
  const before = useRef(trouble);
  useEffect(() => {
    const over = before.current && !trouble;
    before.current = trouble;
    setRelieved(over);
    if (!over) return undefined;
    const timer = window.setTimeout(() => setRelieved(false), ms);
    return () => window.clearTimeout(timer);
  }, [trouble, ms]);
  return relieved && !trouble;
}
