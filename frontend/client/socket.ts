// The feed over a WebSocket: reads frames, asks a silent server for a sign of life, and says once that it is lost.
import { Alarm, type Clock } from "./clock";
import { parseFrame } from "./frame";
import { bounded, type Line, type LineHandlers, type Loss, OPENING_MS } from "./line";
import { CHECK_MS, Watch } from "./watch";

/** The part of the browser's WebSocket that is used, so that another one can be given. */
export interface SocketLike {
  send(data: string): void;
  close(code?: number, reason?: string): void;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
}

export type SocketClass = new (url: string) => SocketLike;

export const PING_AFTER_MS = 20_000;
/** Behind the server's own keepalive of 30 s: while nobody looks, the server's word is enough. */
const HIDDEN_PING_AFTER_MS = 60_000;

const NORMAL = 1000;
const ABNORMAL = 1006;

/** The pause that a closing server names in its reason. */
function pauseOf(reason: string): number | null {
  const [, ms] = /\b(\d{1,7}) ms\b/.exec(reason) ?? [];
  return ms ? bounded(Number(ms)) : null;
}

export class Socket implements Line {
  private _socket: SocketLike | null = null;
  private readonly _watch: Watch;
  private readonly _deadline: Alarm;
  private _live = false;
  private _over = false;

  constructor(
    url: () => Promise<string>,
    socketClass: SocketClass,
    clock: Clock,
    hidden: () => boolean,
    private readonly _handlers: LineHandlers,
  ) {
    this._deadline = new Alarm(clock);
    this._watch = new Watch(clock, {
      patienceMs: () => (hidden() ? HIDDEN_PING_AFTER_MS : PING_AFTER_MS),
      ask: () => this._ping(),
      onDead: () => this._lose({ code: ABNORMAL }),
    });
    this._deadline.set(OPENING_MS, () => this._lose({ code: ABNORMAL, final: true }));
    void this._open(url, socketClass);
  }

  check(): void {
    if (this._live && !this._over) this._watch.ask(CHECK_MS);
  }

  close(): void {
    if (this._over) return;
    this._over = true;
    this._watch.stop();
    this._deadline.clear();
    if (!this._socket) return;
    this._socket.onmessage = this._socket.onclose = null;
    // A close during the handshake makes the browser report an error: somebody must listen to it.
    this._socket.onerror = () => undefined;
    try {
      this._socket.close(NORMAL);
    } catch {
      // It was closed already.
    }
  }

  private async _open(url: () => Promise<string>, socketClass: SocketClass): Promise<void> {
    try {
      const address = await url();
      if (this._over) return;
      const socket = new socketClass(address);
      this._socket = socket;
      socket.onmessage = (event: { data: unknown }) => this._hear(event.data);
      socket.onclose = (event: { code?: number; reason?: string }) =>
        this._lose({ code: event.code ?? ABNORMAL, waitMs: pauseOf(event.reason ?? "") });
      socket.onerror = () => this._lose({ code: ABNORMAL });
    } catch {
      this._lose({ code: 0 });
    }
  }

  private _ping(): void {
    try {
      this._socket?.send('{"type":"ping"}');
    } catch {
      this._lose({ code: ABNORMAL });
    }
  }

  private _hear(data: unknown): void {
    if (this._over) return;
    // Any frame is a sign of life: in a burst the pong waits its turn behind events.
    this._watch.heard();
    if (!this._live) {
      this._live = true;
      this._deadline.clear();
      this._handlers.onLive();
    }
    const frame = this._over ? null : parseFrame(data);
    if (frame) this._handlers.onFrame(frame);
  }

  private _lose(loss: Loss): void {
    if (this._over) return;
    this.close();
    this._handlers.onLost(loss);
  }
}
