// Reads one text from the socket as a frame; anything that is not one of ours is null.
import type { Frame } from "./types";

type Raw = Record<string, unknown>;

const isText = (value: unknown): boolean => typeof value === "string";
const isNumber = (value: unknown): boolean => typeof value === "number" && Number.isFinite(value);

function isAnswerPart(raw: Raw): boolean {
  return isText(raw["message_id"]) && isNumber(raw["attempt"]);
}

export function isEvent(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const raw = value as Raw;
  return isNumber(raw["id"]) && isText(raw["event_type"]) && isText(raw["event_status"]);
}

const wellFormed: Record<Frame["type"], (raw: Raw) => boolean> = {
  connection: () => true,
  hello: (raw) => isNumber(raw["after"]),
  event: (raw) => isEvent(raw["event"]),
  chunk: (raw) => isAnswerPart(raw) && isNumber(raw["offset"]) && isText(raw["text"]),
  answer: (raw) => isAnswerPart(raw) && isText(raw["text"]),
  answer_reset: isAnswerPart,
  reset: () => true,
  bus: (raw) => isText(raw["status"]),
  keepalive: () => true,
  pong: () => true,
};

export function parseFrame(text: unknown): Frame | null {
  if (typeof text !== "string") return null;
  if (text === "pong") return { type: "pong" };
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof raw !== "object" || raw === null) return null;
  const type = (raw as Raw)["type"];
  if (typeof type !== "string" || !Object.hasOwn(wellFormed, type)) return null;
  return wellFormed[type as Frame["type"]](raw as Raw) ? (raw as Frame) : null;
}
