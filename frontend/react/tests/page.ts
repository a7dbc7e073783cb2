// Just enough of a document for react-dom to run effects in components that draw nothing, and a server of streams.
import { act, createElement, type FunctionComponent, StrictMode } from "react";
import { FakeClock, FakeSigns, FakeStream, settle } from "../../client/tests/fakes";
import { SSEEventManager, type SSEOptions } from "../manager";

const nothing = () => undefined;
const nodes = { addEventListener: nothing, removeEventListener: nothing, firstChild: null, lastChild: null };
const page = { ...nodes, nodeType: 9, nodeName: "#document", activeElement: null, defaultView: globalThis };

/** React's own would keep Node from ending. */
class Channel {
  readonly port1: { onmessage: (() => void) | null } = { onmessage: null };
  readonly port2 = { postMessage: () => void setImmediate(() => this.port1.onmessage?.()) };
}

Object.assign(globalThis, { MessageChannel: Channel, window: globalThis, document: page });
Object.assign(globalThis, { HTMLIFrameElement: class {}, IS_REACT_ACT_ENVIRONMENT: true });
const { createRoot } = await import("react-dom/client");

export interface Mounted {
  render(body: () => void): Promise<void>;
  unmount(): Promise<void>;
}

/** Runs `body` as a component, twice as StrictMode does; `Around` may be a provider. */
export async function mount(
  body: () => void,
  Around: FunctionComponent<{ children?: never }> | null = null,
): Promise<Mounted> {
  const box = { ...nodes, nodeType: 1, nodeName: "DIV", tagName: "DIV", ownerDocument: page, textContent: "" };
  const root = createRoot(box as unknown as Element);
  const Body = ({ run }: { run: () => void }) => (run(), null);
  const render = (run: () => void) => {
    const inner = createElement(Body, { run });
    const tree = Around ? createElement(Around as FunctionComponent<object>, {}, inner) : inner;
    return act(async () => {
      root.render(createElement(StrictMode, null, tree));
      await settle();
    });
  };
  await render(body);
  return { render, unmount: () => act(async () => root.unmount()) };
}

export { act };

/** Answers requests for streams with streams, and refuses with `refusal` where that is set. */
export class Events {
  readonly clock = new FakeClock();
  readonly signs = new FakeSigns();
  readonly streams: FakeStream[] = [];
  readonly others: { url: string; method: string }[] = [];
  refusal: number | null = null;
  /** Refuses this one only. */
  worn: string | null = null;
  retryAfter: string | null = null;

  manager(options: SSEOptions = {}): SSEEventManager {
    const { clock, signs, fetch } = this;
    return new SSEEventManager({ baseUrl: "http://spanfeed.test", clock, signs, fetch, random: () => 1, ...options });
  }

  get open(): FakeStream[] {
    return this.streams.filter((stream) => !stream.closed);
  }

  get last(): FakeStream {
    const stream = this.streams.at(-1);
    if (!stream) throw new Error("nobody has asked for a stream");
    return stream;
  }

  readonly fetch = async (url: string, init: RequestInit = {}): Promise<Response> => {
    if (!new URL(url).pathname.endsWith("/stream")) {
      this.others.push({ url, method: init.method ?? "GET" });
      const bearer = new Headers(init.headers).get("Authorization");
      if (this.worn && bearer === `Bearer ${this.worn}`) return this.refuse(401);
      return this.refusal === null ? Response.json({ total_connections: 1 }) : this.refuse(this.refusal);
    }
    const stream = new FakeStream(new URL(url), init);
    this.streams.push(stream);
    if (init.signal?.aborted) stream.end();
    if (this.refusal === null) return stream.response();
    stream.closed = true;
    return this.refuse(this.refusal);
  };

  /** Lets what is due happen, and says the first message of the last stream. */
  async accept(after = 0, epoch = "e1"): Promise<void> {
    await settle();
    await say(this.last, { id: String(after), type: "connection.established", data: { epoch, last_id: after } });
  }

  private refuse(status: number): Response {
    const headers: Record<string, string> = this.retryAfter === null ? {} : { "Retry-After": this.retryAfter };
    return Response.json({ detail: "No." }, { status, headers });
  }
}

export async function say(stream: FakeStream, ...events: Record<string, unknown>[]): Promise<void> {
  for (const event of events) {
    const body = { timestamp: "2026-11-01T10:00:00.000000Z", metadata: {}, data: {}, ...event };
    stream.write(`event: ${event["type"]}\ndata: ${JSON.stringify(body)}\n\n`);
  }
  await settle();
}

export type Raw = Record<string, unknown>;

export function told(id: number, type = "document.uploaded", more: Raw = {}): Raw {
  return { id: String(id), type, metadata: { category: "realtime", priority: "normal", ...more } };
}
