// The browser's hints that now is a good time to try again: back online, or the page is looked at again.

interface Page {
  addEventListener?(name: string, run: () => void): void;
  removeEventListener?(name: string, run: () => void): void;
  document?: { visibilityState: string; addEventListener: Document["addEventListener"] } & Page;
}

export function onWake(wake: () => void): () => void {
  const page = globalThis as Page;
  const document = page.document;
  if (!page.addEventListener || !document) return () => undefined;
  const seen = () => {
    if (document.visibilityState === "visible") wake();
  };
  page.addEventListener("online", wake);
  document.addEventListener("visibilitychange", seen);
  return () => {
    page.removeEventListener?.("online", wake);
    document.removeEventListener?.("visibilitychange", seen);
  };
}
