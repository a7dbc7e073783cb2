// The feed over Server-Sent Events. Read with fetch, not EventSource: fetch sends credentials as a header instead of
// in an address, tells the status of a refusal and its Retry-After, sees comments as signs of life, and leaves the
// pause before the next try to the client; EventSource does none of these, and its parser saves only 0.4 kB.
import { Alarm, type Clock } from "./clock";
import { parseFrame } from "./frame";
import { type Credentials, type FetchLike, HttpError, open } from "./http";
import { bounded, type Line, type LineHandlers, type Loss, OPENING_MS } from "./line";
import { eventText } from "./sse";
import { CHECK_MS, Watch } from "./watch";

/** The server says something every 30 s; with the time to answer it is dead after 45 s. */
const SILENCE_MS = 35_000;

export class Stream implements Line {
  private readonly _control = new AbortController();
  private readonly _watch: Watch;
  private readonly _deadline: Alarm;
  private _retryMs: number | null = null;
  private _live = false;
  private _over = false;

  constructor(
    url: () => string,
    fetcher: FetchLike,
    credentials: Credentials,
    clock: Clock,
    private readonly _handlers: LineHandlers,
    /** What a message says; without it, a session's frames. */
    private readonly _take = frameTaker(_handlers),
  ) {
    this._deadline = new Alarm(clock);
    this._watch = new Watch(clock, {
      patienceMs: () => SILENCE_MS,
      // Nobody can ask over a stream: the time to answer is the server's last chance to speak by itself.
      ask: () => undefined,
      onDead: () => this._lose({ code: 0 }),
    });
    this._deadline.set(OPENING_MS, () => this._lose({ code: 0, final: true }));
    void this._read(url, fetcher, credentials);
  }

  check(): void {
    if (this._live && this._watch.silentMs >= SILENCE_MS) this._watch.ask(CHECK_MS);
  }

  close(): void {
    this._over = true;
    this._watch.stop();
    this._deadline.clear();
    this._control.abort();
  }

  private async _read(url: () => string, fetcher: FetchLike, credentials: Credentials): Promise<void> {
    await null;
    try {
      const init = { headers: { Accept: "text/event-stream" }, signal: this._control.signal };
      const response = await open(fetcher, url(), init, credentials);
      const ours = response.headers.get("Content-Type")?.startsWith("text/event-stream");
      if (!ours || !response.body) {
        this._lose({ code: 0, final: true });
        return;
      }
      await this._follow(response.body.getReader());
      this._lose({ code: 0, waitMs: this._retryMs });
    } catch (error) {
      this._lose(lossOf(error));
    }
  }

  private async _follow(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    const hear = eventText({
      onMessage: (name, data) => this._hear(name, data),
      onRetry: (ms) => {
        this._retryMs = bounded(ms);
      },
    });
    for (;;) {
      const { done, value } = await reader.read();
      if (done || this._over) return;
      this._watch.heard();
      hear(decoder.decode(value, { stream: true }));
    }
  }

  private _hear(name: string, data: string): void {
    if (this._over) return;
    if (!this._live) {
      this._live = true;
      this._deadline.clear();
      this._handlers.onLive();
    }
    if (!this._over) this._take(name, data);
  }

  private _lose(loss: Loss): void {
    if (this._over) return;
    this.close();
    this._handlers.onLost(loss);
  }
}

function frameTaker(handlers: LineHandlers): (name: string, data: string) => void {
  return (name, data) => {
    const frame = parseFrame(name ? data : `{"type":"event","event":${data}}`);
    if (frame) handlers.onFrame(frame);
  };
}

/** A refusal that is not for the credentials is for the stream: no such route, no place left, no such method. */
function lossOf(error: unknown): Loss {
  if (!(error instanceof HttpError)) return { code: 0 };
  const { status: code, retryAfterMs: waitMs } = error;
  return { code, waitMs, final: (code >= 400 && code < 500 && !error.refused) || code === 501 };
}
