// One WebSocket from dialling to its end: reads frames, asks for a sign of life, and says once that it is lost.
import { Alarm, type Clock } from "./clock";
import { parseFrame } from "./frame";
import type { Frame } from "./types";

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

export interface SocketHandlers {
  /** The server has spoken: the connection is more than an accepted handshake. */
  onLive(): void;
  onFrame(frame: Frame): void;
  onLost(code: number): void;
}

export const OPENING_MS = 10_000;
export const PING_EVERY_MS = 20_000;
export const PONG_WITHIN_MS = 10_000;

const NORMAL = 1000;
const ABNORMAL = 1006;

export class Socket {
  private readonly socket: SocketLike;
  private readonly pingAlarm: Alarm;
  private readonly deadline: Alarm;
  private live = false;
  private over = false;

  constructor(url: string, socketClass: SocketClass, clock: Clock, private readonly handlers: SocketHandlers) {
    this.pingAlarm = new Alarm(clock);
    this.deadline = new Alarm(clock);
    this.socket = new socketClass(url);
    this.deadline.set(OPENING_MS, () => this.lose(ABNORMAL));
    this.socket.onmessage = (event: { data: unknown }) => this.hear(event.data);
    this.socket.onclose = (event: { code?: number }) => this.lose(event.code ?? ABNORMAL);
    this.socket.onerror = () => this.lose(ABNORMAL);
  }

  /** Asks now whether the other side is still there. */
  ping(): void {
    if (this.over || !this.live) return;
    this.pingAlarm.clear();
    this.deadline.set(PONG_WITHIN_MS, () => this.lose(ABNORMAL));
    try {
      this.socket.send('{"type":"ping"}');
    } catch {
      this.lose(ABNORMAL);
    }
  }

  close(): void {
    this.end();
  }

  private hear(data: unknown): void {
    if (this.over) return;
    // Any frame is a sign of life: in a burst the pong waits its turn behind events.
    this.deadline.clear();
    if (!this.pingAlarm.pending) this.pingAlarm.set(PING_EVERY_MS, () => this.ping());
    if (!this.live) {
      this.live = true;
      this.handlers.onLive();
    }
    const frame = this.over ? null : parseFrame(data);
    if (frame) this.handlers.onFrame(frame);
  }

  private lose(code: number): void {
    if (this.over) return;
    this.end();
    this.handlers.onLost(code);
  }

  private end(): void {
    if (this.over) return;
    this.over = true;
    this.pingAlarm.clear();
    this.deadline.clear();
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    // A close during the handshake makes the browser report an error: somebody must listen to it.
    this.socket.onerror = () => undefined;
    try {
      this.socket.close(NORMAL);
    } catch {
      // It was closed already.
    }
  }
}
