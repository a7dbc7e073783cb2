// One HTTP request and its ways to fail, in the words the server chose.

export type FetchLike = (url: string, init?: RequestInit) => Promise<Response>;

export type Token = string | (() => string | null | Promise<string | null>);

export interface Credentials {
  apiKey?: string | undefined;
  token?: Token | undefined;
}

export interface Request {
  method?: "GET" | "POST" | "DELETE";
  body?: unknown;
  headers?: Record<string, string>;
  /** Ends the request; without it the request ends itself after 15 s. */
  signal?: AbortSignal | undefined;
}

const REQUEST_MS = 15_000;

/** `status` 0: no answer came at all. `detail` is a sentence one can show. */
export class HttpError extends Error {
  constructor(
    readonly status: number,
    readonly detail: string,
    readonly retryAfterMs: number | null = null,
  ) {
    super(detail || `HTTP ${status}`);
    this.name = "HttpError";
  }

  /** The credentials are not accepted. */
  get refused(): boolean {
    return this.status === 401 || this.status === 403;
  }

  /** Said of a session: it is not this visitor's, or not there; a server does not tell which. */
  get sessionLost(): boolean {
    return this.refused || this.status === 404;
  }
}

export async function tokenText(token: Token | undefined): Promise<string | null> {
  const text = typeof token === "function" ? await token() : token;
  return text || null;
}

export interface Keeper {
  token(): Promise<string | null>;
  /** The token is not accepted any more; whether another one can be had. */
  forget(): boolean;
}

/** Holds the token that is good at the moment: the one given, or what `getToken` fetches when it is not. */
export function tokenKeeper(token: Token | undefined, getToken: Exclude<Token, string> | undefined): Keeper {
  let kept = typeof token === "function" ? null : token || null;
  return {
    token: async () => (typeof token === "function" ? tokenText(token) : (kept ??= await tokenText(getToken))),
    forget: () => {
      if (getToken) kept = null;
      return Boolean(getToken) || typeof token === "function";
    },
  };
}

async function authorization({ apiKey, token }: Credentials): Promise<Record<string, string>> {
  if (apiKey) return { "X-API-Key": apiKey };
  const text = await tokenText(token);
  return text ? { Authorization: `Bearer ${text}` } : {};
}

/** What a problem document says: one sentence, or one for each field that is wrong. */
export function problemSentence(body: unknown): string {
  if (typeof body !== "object" || body === null) return "";
  const { detail, title } = body as { detail?: unknown; title?: unknown };
  if (typeof detail === "string" && detail) return detail;
  if (Array.isArray(detail)) return detail.map(fieldSentence).filter(Boolean).join("; ");
  return typeof title === "string" ? title : "";
}

function fieldSentence(item: unknown): string {
  if (typeof item !== "object" || item === null) return "";
  const { loc, msg } = item as { loc?: unknown; msg?: unknown };
  const field = Array.isArray(loc) ? loc.filter((part) => part !== "body").join(".") : "";
  return field && typeof msg === "string" ? `${field}: ${msg}` : String(msg ?? "");
}

export function retryAfterMs(header: string | null, now: number): number | null {
  if (!header) return null;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) && ms >= 0 ? ms : null;
}

/** The answer's head has come, and is not a refusal. Throws HttpError. */
export async function open(
  fetcher: FetchLike,
  url: string,
  init: RequestInit & { headers: Record<string, string> },
  credentials: Credentials,
): Promise<Response> {
  const headers = { ...init.headers, ...(await authorization(credentials)) };
  const response = await answer(fetcher, url, { ...init, headers, cache: "no-store" });
  if (response.ok) return response;
  const wait = retryAfterMs(response.headers.get("Retry-After"), Date.now());
  throw new HttpError(response.status, problemSentence(await response.json().catch(() => null)), wait);
}

export async function requestJson(
  fetcher: FetchLike,
  url: string,
  request: Request,
  credentials: Credentials,
): Promise<unknown> {
  const { method = "GET", body, headers = {}, signal = AbortSignal.timeout(REQUEST_MS) } = request;
  const json = body === undefined ? {} : { "Content-Type": "application/json" };
  const init = { method, headers: { Accept: "application/json", ...json, ...headers }, signal };
  const sent = body === undefined ? init : { ...init, body: JSON.stringify(body) };
  const response = await open(fetcher, url, sent, credentials);
  try {
    return await response.json();
  } catch {
    throw new HttpError(0, "");
  }
}

async function answer(fetcher: FetchLike, url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetcher(url, init);
  } catch {
    throw new HttpError(0, "");
  }
}
