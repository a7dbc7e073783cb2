// What the dashboard asks of the server, with the administrator's cookie.
import { type FetchLike, open, requestJson } from "../client/http";
import { asQuery, type Filter, type Place } from "./place";
import type { Alert, EventsPage, Key, Overview, Rule, RunRow, SessionRow, Silence, Subscription, Trace } from "./shapes";

const fetcher: FetchLike = (url, init) => globalThis.fetch(url, init);
const part = encodeURIComponent;
const OPERATIONS = "/api/v1/operations";
/** Asks for nothing but to be there: other sites' pages cannot send it. */
const OURS = { "X-Requested-With": "spanfeed" };

const get = async <T>(path: string): Promise<T> => (await requestJson(fetcher, path, { headers: OURS }, {})) as T;

async function send<T>(method: "POST" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<T> {
  const json = body === undefined ? {} : { "Content-Type": "application/json" };
  const headers = { Accept: "application/json", ...json, ...OURS };
  const init = { method, headers, signal: AbortSignal.timeout(REQUEST_MS) };
  const response = await open(fetcher, path, body === undefined ? init : { ...init, body: JSON.stringify(body) }, {});
  return (await response.json()) as T;
}

const REQUEST_MS = 15_000;

export interface Person {
  id: string;
  scopes: string[];
}

export const me = (): Promise<Person> => get("/api/v1/me");
export const logIn = (name: string, password: string): Promise<unknown> => send("POST", "/api/v1/login", { name, password });
export const logOut = (): Promise<unknown> => send("POST", "/api/v1/logout");

/** What the overview's figures are filtered by: they are added up by these and by nothing finer. */
export function coarse({ event_type, event_status, category, priority }: Filter): Filter {
  const words = { event_type, event_status, category, priority };
  return Object.fromEntries(Object.entries(words).filter(([, value]) => value !== undefined)) as Filter;
}

export const overview = ({ filter, range }: Place): Promise<Overview> =>
  get(`${OPERATIONS}/overview${asQuery(coarse(filter), { range })}`);

export const events = ({ filter, range }: Place, before: number | null, limit: number): Promise<EventsPage> =>
  get(`${OPERATIONS}/events${asQuery(filter, { range, before, limit })}`);

/** One event, which is the newest before the next id. */
export async function event(id: number): Promise<EventsPage["events"][number] | null> {
  const page = await get<EventsPage>(`${OPERATIONS}/events${asQuery({}, { before: id + 1, limit: 1 })}`);
  return page.events.find((one) => one.id === id) ?? null;
}

export const exportUrl = ({ filter, range }: Place, format: "csv" | "ndjson"): string =>
  `${OPERATIONS}/events/export${asQuery(filter, { range, format })}`;

export interface Listing<Row> {
  rows: Row[];
  next: string | number | null;
}

export async function sessions(q: string, before: string | number | null): Promise<Listing<SessionRow>> {
  const query = asQuery({}, { q, before, limit: 50 });
  const page = await get<{ sessions: SessionRow[]; next: string | null }>(`${OPERATIONS}/sessions${query}`);
  return { rows: page.sessions, next: page.next };
}

export async function runs(session: string, before: string | number | null): Promise<Listing<RunRow>> {
  const query = asQuery({}, { before, limit: 50 });
  const page = await get<{ runs: RunRow[]; next: number | null }>(`${OPERATIONS}/sessions/${part(session)}/runs${query}`);
  return { rows: page.runs, next: page.next };
}

export const trace = (messageId: string): Promise<Trace> => get(`${OPERATIONS}/runs/${part(messageId)}`);

export async function alerts(before: string | number | null): Promise<Listing<Alert>> {
  const query = asQuery({}, { before, limit: 50 });
  const page = await get<{ alerts: Alert[]; next_before: number | null }>(`/api/v1/alerts${query}`);
  return { rows: page.alerts, next: page.next_before };
}

export const rules = async (): Promise<Rule[]> => (await get<{ rules: Rule[] }>("/api/v1/alerts/rules")).rules;
export const silences = async (): Promise<Silence[]> =>
  (await get<{ silences: Silence[] }>("/api/v1/alerts/silences")).silences;
export const silence = (rule: string, seconds: number, reason: string): Promise<Silence> =>
  send("POST", "/api/v1/alerts/silences", { rule, seconds, reason });
export const endSilence = (id: number): Promise<unknown> => send("DELETE", `/api/v1/alerts/silences/${id}`);

export interface NewKey {
  name: string;
  scopes: string[];
  user_id?: string;
}

export const keys = async (): Promise<Key[]> => (await get<{ keys: Key[] }>("/api/v1/keys")).keys;
export const makeKey = (key: NewKey): Promise<Key> => send("POST", "/api/v1/keys", key);
export const rotateKey = (id: string): Promise<Key> => send("POST", `/api/v1/keys/${part(id)}/rotate`);
export const revokeKey = (id: string): Promise<unknown> => send("DELETE", `/api/v1/keys/${part(id)}`);

const SUBSCRIPTIONS = "/api/v1/subscriptions";

export const subscriptions = async (): Promise<Subscription[]> =>
  (await get<{ subscriptions: Subscription[] }>(SUBSCRIPTIONS)).subscriptions;
export const subscribe = (url: string, name: string, event_types: string[]): Promise<Subscription> =>
  send("POST", SUBSCRIPTIONS, { url, name, event_types });
export const turn = (id: string, enabled: boolean): Promise<unknown> =>
  send("PATCH", `${SUBSCRIPTIONS}/${part(id)}`, { enabled });
export const tryOut = (id: string): Promise<unknown> => send("POST", `${SUBSCRIPTIONS}/${part(id)}/test`);
export const sendAgain = (id: string): Promise<unknown> => send("POST", `${SUBSCRIPTIONS}/${part(id)}/deliveries/retry`);
export const unsubscribe = (id: string): Promise<unknown> => send("DELETE", `${SUBSCRIPTIONS}/${part(id)}`);
