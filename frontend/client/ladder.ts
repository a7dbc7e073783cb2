// Decides which transport carries the feed, and when another is tried: down when one fails, up again when it may work.
import { backoffMs, climbBackoff, hintedMs, refusedBackoff, socketBackoff } from "./backoff";
import { Alarm, type Clock } from "./clock";
import type { Line, LineHandlers, Loss, Transport } from "./line";
import type { Signs } from "./signs";
import type { Frame } from "./types";

export interface LadderHandlers {
  open(transport: Transport, handlers: LineHandlers): Line;
  onDial(): void;
  onFrame(frame: Frame): void;
  /** The feed works over this transport. */
  onUp(transport: Transport): void;
  /** It does not work any more, or not yet; true: it is refused, and there is no hurry to ask again. */
  onDown(loss: Loss, transport: Transport): boolean;
}

interface Rung {
  at: number;
  transport: Transport;
  line: Line;
  live: boolean;
}

/** So often a transport may fail before the next one is tried. */
const TRIES = 2;
const STABLE_MS = 5_000;
/** Browsers err about being offline, and a server on the same machine needs no network: so seldom it is tried still. */
const OFFLINE_MS = 30_000;
const TOO_MANY = 4429;
/** What a connection may say before it says that it goes on from where the last one was. */
const BEFORE_HELLO: readonly string[] = ["connection", "reset", "bus"];

export class Ladder {
  private readonly _retry: Alarm;
  private readonly _stable: Alarm;
  private readonly _climb: Alarm;
  private readonly _stopListening: () => void;
  private _line: Rung | null = null;
  /** A better transport on trial, beside the one that works. */
  private _trial: Rung | null = null;
  private _at = 0;
  private _tries = 0;
  private _failures = 0;
  private _climbs = 0;
  private _over = false;

  constructor(
    private readonly _transports: readonly Transport[],
    clock: Clock,
    private readonly _random: () => number,
    private readonly _signs: Signs,
    private readonly _handlers: LadderHandlers,
  ) {
    this._retry = new Alarm(clock);
    this._stable = new Alarm(clock);
    this._climb = new Alarm(clock);
    this._stopListening = _signs.listen((sign) => {
      if (sign === "offline") this.redial();
      else this.wake(true);
    });
  }

  /** Which transport works; null while none does. */
  get transport(): Transport | null {
    return this._line?.live ? this._line.transport : null;
  }

  dial(): void {
    if (this._line || this._over) return;
    this._retry.clear();
    this._handlers.onDial();
    this._line = this._open(this._at);
  }

  /** Tries at once, or asks whether the line that there is still lives; `climbing`: a better one, too. */
  wake(climbing = false): void {
    if (!this._line) this.dial();
    else this._line.line.check();
    if (climbing && this._climb.pending) this._try();
  }

  /** Ends the connection as if it had been lost, to start again from the cursor. */
  redial(): void {
    this.drop();
    if (!this._line) return;
    // That is not the transport's failure.
    this._tries -= 1;
    this._lost(this._line, { code: 0 });
  }

  /** Ends what is on trial: it began from a cursor that is worth nothing any more. */
  drop(): void {
    if (this._trial) this._lost(this._trial, { code: 0 });
  }

  close(): void {
    this._over = true;
    this._stopListening();
    for (const alarm of [this._retry, this._stable, this._climb]) alarm.clear();
    this._line?.line.close();
    this._trial?.line.close();
  }

  private _open(at: number): Rung {
    const transport = this._transports[at] as Transport;
    const rung = { at, transport, live: false } as Rung;
    rung.line = this._handlers.open(transport, {
      onLive: () => this._lives(rung),
      onFrame: (frame) => {
        this._handlers.onFrame(frame);
        if (rung === this._trial && !BEFORE_HELLO.includes(frame.type)) this._promote(rung);
      },
      onLost: (loss) => this._lost(rung, loss),
    });
    return rung;
  }

  private _lives(rung: Rung): void {
    if (rung === this._trial && rung.transport === "poll") this._promote(rung);
    if (rung !== this._line || rung.live) return;
    rung.live = true;
    // Where this transport had failed as well, the server was away, and a better one may work as soon as this does.
    if (rung.at > 0) this._plan(this._tries > 0 ? 0 : null);
    this._stable.set(STABLE_MS, () => {
      this._tries = this._failures = 0;
      if (rung.at === 0) this._climbs = 0;
    });
    this._handlers.onUp(rung.transport);
  }

  /** The better one goes on from where the other has come to: only now that may end. */
  private _promote(rung: Rung): void {
    const { _line: line } = this;
    this._line = rung;
    this._trial = null;
    this._at = rung.at;
    this._tries = 0;
    line?.line.close();
    this._lives(rung);
  }

  private _plan(waitMs: number | null): void {
    this._climb.set(waitMs ?? backoffMs(this._climbs + 1, this._random, climbBackoff), () => this._try());
  }

  private _try(): void {
    this._climb.clear();
    if (!this._line?.live || this._trial) return;
    this._trial = this._open(this._climbs % this._at);
  }

  private _lost(rung: Rung, { code, waitMs = null, final = false }: Loss): void {
    rung.line.close();
    if (rung === this._trial) {
      this._trial = null;
      this._climbs += 1;
      this._plan(waitMs === null ? null : Math.max(hintedMs(waitMs, this._random), climbBackoff.floorMs));
    }
    if (rung !== this._line || this._over) return;
    this._line = null;
    this.drop();
    this._climb.clear();
    this._stable.clear();
    this._failures += 1;
    this._tries += 1;
    const refused = this._handlers.onDown({ code, waitMs, final }, rung.transport);
    if (this._over) return;
    const calm = refused || code === TOO_MANY;
    const fresh = !calm && (final || this._tries >= TRIES) && this._descend();
    const patience = calm ? refusedBackoff : socketBackoff;
    const ownMs = fresh ? 0 : backoffMs(this._failures, this._random, patience);
    const offlineMs = this._failures > 1 && !this._signs.online() ? OFFLINE_MS : 0;
    const hintMs = waitMs === null ? 0 : hintedMs(waitMs, this._random);
    this._retry.set(Math.max(ownMs, offlineMs, hintMs), () => this.dial());
  }

  /** Goes to the next transport, from the last to the first; whether that one has not failed since all was well. */
  private _descend(): boolean {
    this._at = (this._at + 1) % this._transports.length;
    this._tries = 0;
    return this._at > 0 && this._failures <= TRIES * this._at;
  }
}
