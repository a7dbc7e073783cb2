// Keeps the end of the conversation in sight while it grows, unless the reader has scrolled away.
import { useEffect, useRef } from "react";

const NEAR_PX = 120;

function distanceToEnd(): number {
  const { scrollHeight, clientHeight, scrollTop } = document.documentElement;
  return scrollHeight - clientHeight - scrollTop;
}

function toEnd(): void {
  window.scrollTo({ top: document.documentElement.scrollHeight });
}

export function useFollow(turnCount: number): void {
  const following = useRef(true);
  useEffect(() => {
    const onScroll = () => {
      following.current = distanceToEnd() < NEAR_PX;
    };
    const observer = new ResizeObserver(() => {
      if (following.current) toEnd();
    });
    window.addEventListener("scroll", onScroll, { passive: true });
    observer.observe(document.body);
    return () => {
      window.removeEventListener("scroll", onScroll);
      observer.disconnect();
    };
  }, []);
  // A new question is what the reader has just asked: show it wherever the page stood.
  useEffect(() => {
    following.current = true;
    toEnd();
  }, [turnCount]);
}
