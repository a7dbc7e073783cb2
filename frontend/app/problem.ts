// Why something did not work: the server's sentence, or none when it could not be reached.
import { HttpError } from "../client";

export interface Problem {
  status: number;
  detail: string;
  retryAfterMs: number | null;
}

export function problemOf(error: unknown): Problem {
  if (!(error instanceof HttpError)) throw error;
  return { status: error.status, detail: error.detail, retryAfterMs: error.retryAfterMs };
}
