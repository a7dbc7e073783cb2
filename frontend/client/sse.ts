// Reads the text of Server-Sent Events, in whatever pieces it comes.

export interface MessageHandlers {
  /** `name` is empty where the stream names none. */
  onMessage(name: string, data: string): void;
  /** How long the server asks a client whose stream has ended to wait. */
  onRetry(ms: number): void;
}

/** Far above any event; what never ends is not ours, and must not fill the memory. */
const LIMIT_CHARACTERS = 4_194_304;

/** Takes the next piece. Throws RangeError for a message without end. */
export function eventText({ onMessage, onRetry }: MessageHandlers): (piece: string) => void {
  let rest = "";
  return (piece) => {
    const blocks = (rest + piece).split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? "";
    if (rest.length > LIMIT_CHARACTERS) throw new RangeError();
    for (const block of blocks) {
      let name = "";
      const data: string[] = [];
      for (const line of block.split(/\r?\n/)) {
        const [, field, value = ""] = /^(\w+): ?(.*)/s.exec(line) ?? [];
        if (field === "event") name = value;
        if (field === "data") data.push(value);
        if (field === "retry" && Number(value) >= 0) onRetry(Number(value));
      }
      if (data.length > 0) onMessage(name, data.join("\n"));
    }
  };
}
