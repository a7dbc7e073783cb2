// The address of the page as state: where one is, and links to elsewhere that are real links.
import {
  createContext,
  type MouseEvent,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useState,
} from "react";
import { moved, type Place, placeOf, searchOf, start } from "../place";

interface Way {
  place: Place;
  /** `instead`: one does not come back to where one was, as while one types. */
  go(step: Partial<Place>, instead?: boolean): void;
}

const WayContext = createContext<Way>({ place: start, go: () => undefined });

export const useWay = (): Way => useContext(WayContext);

const address = (place: Place): string => location.pathname + searchOf(place);

export function WayProvider({ children }: { children: ReactNode }) {
  const [place, setPlace] = useState(() => placeOf(location.search));
  useEffect(() => {
    const back = () => setPlace(placeOf(location.search));
    window.addEventListener("popstate", back);
    return () => window.removeEventListener("popstate", back);
  }, []);
  const go = useCallback((step: Partial<Place>, instead = false) => {
    const next = moved(placeOf(location.search), step);
    if (address(next) !== location.pathname + location.search) {
      if (instead) history.replaceState(null, "", address(next));
      else history.pushState(null, "", address(next));
    }
    setPlace(next);
  }, []);
  const way = useMemo(() => ({ place, go }), [place, go]);
  return <WayContext value={way}>{children}</WayContext>;
}

interface GoProps {
  to: Partial<Place>;
  children: ReactNode;
  className?: string;
  current?: boolean;
  label?: string;
  testId?: string;
}

export function Go({ to, children, className, current, label, testId }: GoProps) {
  const { place, go } = useWay();
  const follow = (click: MouseEvent) => {
    // Another tab or window is the browser's affair.
    if (click.button !== 0 || click.metaKey || click.ctrlKey || click.shiftKey || click.altKey) return;
    click.preventDefault();
    go(to);
  };
  return (
    <a
      href={address(moved(place, to))}
      onClick={follow}
      className={className}
      aria-current={current ? "page" : undefined}
      aria-label={label}
      data-testid={testId}
    >
      {children}
    </a>
  );
}
