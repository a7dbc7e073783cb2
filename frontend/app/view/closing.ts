// A list that is open while it grows closes itself once, unless the reader has had a say.
import { useEffect, useRef, useState } from "react";

/** Whether it is open, and what to call with each change that the browser tells of. */
export function useClosingOnce(startsOpen: boolean, done: boolean): [boolean, (open: boolean) => void] {
  const [open, setOpen] = useState(startsOpen);
  const settled = useRef(!startsOpen);
  useEffect(() => {
    if (!done || settled.current) return;
    settled.current = true;
    setOpen(false);
  }, [done]);
  const onToggle = (now: boolean) => {
    // The browser tells of the page's own changes as well.
    if (now === open) return;
    settled.current = true;
    setOpen(now);
  };
  return [open, onToggle];
}
