// A feed on a bench: its time, its network and its server are in the test's hands.
import { type ConnectOptions, connect, type Feed } from "../feed";
import { FakeClock, FakeServer, FakeSigns, FakeSocket, settle } from "./fakes";

export interface Bench {
  feed: Feed;
  clock: FakeClock;
  server: FakeServer;
  signs: FakeSigns;
  /** The events as heard. */
  ids: number[];
  /** What was refused. */
  refused: number[];
}

export async function bench(options: Partial<ConnectOptions> = {}): Promise<Bench> {
  FakeSocket.all = [];
  const clock = new FakeClock();
  const server = new FakeServer(clock);
  const signs = new FakeSigns();
  const feed = connect({
    baseUrl: "http://host:5000/",
    sessionId: "s",
    clock,
    random: () => 1,
    fetch: server.fetch,
    WebSocket: FakeSocket,
    signs,
    ...options,
  });
  const ids: number[] = [];
  const refused: number[] = [];
  feed.on("event", (heard) => ids.push(heard.id));
  feed.on("unauthorized", (status) => refused.push(status));
  await settle();
  return { feed, clock, server, signs, ids, refused };
}

export const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
