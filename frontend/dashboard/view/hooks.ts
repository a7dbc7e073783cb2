// What views ask of the server and of the browser: answers that stay fresh, the look that the system wants.
import { createContext, useCallback, useContext, useEffect, useRef, useState } from "react";
import { type Problem, problemOf } from "../../app/problem";

/** Called when the server no longer knows who is asking. */
export const RefusedContext = createContext<() => void>(() => undefined);

export interface Loaded<T> {
  /** The last answer; of an earlier question while `fresh` is false. */
  value: T | null;
  fresh: boolean;
  problem: Problem | null;
  loading: boolean;
  again(): void;
}

interface Held<T> {
  key: string | null;
  value: T | null;
  problem: Problem | null;
}

/** Asks whenever `key` changes, and then every so many milliseconds while somebody looks. */
export function useLoad<T>(key: string, load: () => Promise<T>, everyMs: number | null = null): Loaded<T> {
  const refused = useContext(RefusedContext);
  const [held, setHeld] = useState<Held<T>>({ key: null, value: null, problem: null });
  const [loading, setLoading] = useState(true);
  const [turn, setTurn] = useState(0);
  const latest = useRef(load);
  useEffect(() => {
    latest.current = load;
  });
  useEffect(() => {
    let gone = false;
    let timer = 0;
    const ask = async () => {
      setLoading(true);
      try {
        const value = await latest.current();
        if (!gone) setHeld({ key, value, problem: null });
      } catch (error) {
        const problem = problemOf(error);
        if (gone) return;
        if (problem.status === 401) refused();
        setHeld((old) => ({ key: old.key, value: old.key === key ? old.value : null, problem }));
      }
      if (gone) return;
      setLoading(false);
      if (everyMs !== null) timer = window.setTimeout(next, everyMs);
    };
    const next = () => {
      if (document.visibilityState === "visible") void ask();
      else timer = window.setTimeout(next, everyMs ?? 0);
    };
    void ask();
    return () => {
      gone = true;
      window.clearTimeout(timer);
    };
  }, [key, everyMs, turn, refused]);
  const again = useCallback(() => setTurn((count) => count + 1), []);
  return { value: held.value, fresh: held.key === key, problem: held.problem, loading, again };
}

export interface Deed {
  busy: boolean;
  problem: Problem | null;
  run(work: () => Promise<unknown>): Promise<boolean>;
}

/** Something that a button does: one at a time, what follows when it worked, and why it did not. */
export function useDeed(then?: () => void): Deed {
  const refused = useContext(RefusedContext);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const run = useCallback(
    async (work: () => Promise<unknown>) => {
      setBusy(true);
      setProblem(null);
      try {
        await work();
        then?.();
        return true;
      } catch (error) {
        const found = problemOf(error);
        if (found.status === 401) refused();
        setProblem(found);
        return false;
      } finally {
        setBusy(false);
      }
    },
    [refused, then],
  );
  return { busy, problem, run };
}

/** A word for the look that the system wants; it changes when the look does. */
export function useLook(): string {
  const [look, setLook] = useState(0);
  useEffect(() => {
    const queries = ["(prefers-color-scheme: dark)", "(forced-colors: active)"].map((one) => matchMedia(one));
    const changed = () => setLook((count) => count + 1);
    for (const query of queries) query.addEventListener("change", changed);
    return () => {
      for (const query of queries) query.removeEventListener("change", changed);
    };
  }, []);
  return String(look);
}
