// The visitor's session: remembered, opened when there is none, shared between tabs.
import type { Api } from "../client";
import type { Memory } from "./storage";

export class Sessions {
  private opening: Promise<string> | null = null;

  constructor(
    private readonly api: Api,
    private readonly memory: Memory,
  ) {}

  /** The remembered session, or a new one. */
  async enter(): Promise<string> {
    return this.memory.session ?? this.open();
  }

  /** Another session than the one the server refused; perhaps another tab has opened it already. */
  async replace(refused: string | null): Promise<string> {
    const remembered = this.memory.session;
    return remembered !== null && remembered !== refused ? remembered : this.open();
  }

  open(): Promise<string> {
    this.opening ??= this.request().finally(() => {
      this.opening = null;
    });
    return this.opening;
  }

  private async request(): Promise<string> {
    const { session_id } = await this.api.openSession();
    this.memory.session = session_id;
    return session_id;
  }
}
