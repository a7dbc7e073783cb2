// What the browser knows of the network and of who looks: hints, none of which is proof.

export interface Signs {
  online(): boolean;
  hidden(): boolean;
  /** Tells when the network comes (`online`) or goes (`offline`), and when the page is looked at again (`seen`). */
  listen(run: (sign: "online" | "offline" | "seen") => void): () => void;
}

interface Page {
  addEventListener?: EventTarget["addEventListener"];
  document?: Document;
  navigator?: { onLine?: boolean };
}

const page = globalThis as Page;

export const browserSigns: Signs = {
  online: () => page.navigator?.onLine !== false,
  hidden: () => page.document?.visibilityState === "hidden",
  listen: (run) => {
    const { document } = page;
    const over = new AbortController();
    const { signal } = over;
    if (page.addEventListener && document) {
      for (const name of ["online", "offline"] as const) page.addEventListener(name, () => run(name), { signal });
      document.addEventListener("visibilitychange", () => browserSigns.hidden() || run("seen"), { signal });
    }
    return () => over.abort();
  },
};
