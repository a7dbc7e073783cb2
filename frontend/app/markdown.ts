// The few marks an answer uses, as data: paragraphs, headings, lists, code, strong words and [n] citations.

export type Inline =
  | { kind: "text"; text: string }
  | { kind: "strong" | "emphasis"; text: string }
  | { kind: "code"; text: string }
  | { kind: "cite"; number: number };

export type Block =
  | { kind: "paragraph" | "heading" | "quote"; inlines: Inline[] }
  | { kind: "list"; ordered: boolean; start: number; items: Inline[][] }
  | { kind: "code"; text: string };

const fence = /^\s*(?:```|~~~)/;
const bullet = /^\s*[-*•]\s+(.*)$/;
const numbered = /^\s*(\d{1,9})[.)]\s+(.*)$/;
const heading = /^#{1,6}\s+(.*)$/;
const quote = /^>\s?(.*)$/;
const marks = /`([^`\n]+)`|\*\*([^*\n]+)\*\*|(?<![\w*])\*([^*\s](?:[^*\n]*[^*\s])?)\*(?![\w*])|\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]/g;

export function parseInline(text: string): Inline[] {
  const inlines: Inline[] = [];
  let at = 0;
  for (const match of text.matchAll(marks)) {
    if (match.index > at) inlines.push({ kind: "text", text: text.slice(at, match.index) });
    at = match.index + match[0].length;
    const [, code, strong, emphasis, cites] = match;
    if (code !== undefined) inlines.push({ kind: "code", text: code });
    else if (strong !== undefined) inlines.push({ kind: "strong", text: strong });
    else if (emphasis !== undefined) inlines.push({ kind: "emphasis", text: emphasis });
    else for (const number of (cites ?? "").split(",")) inlines.push({ kind: "cite", number: Number(number) });
  }
  if (at < text.length) inlines.push({ kind: "text", text: text.slice(at) });
  return inlines;
}

export function parseBlocks(text: string): Block[] {
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  const blocks: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    const read = lines[at]?.trim() === "" ? null : readBlock(lines, at);
    if (read) blocks.push(read.block);
    at = read?.next ?? at + 1;
  }
  return blocks;
}

interface Read {
  block: Block;
  next: number;
}

function readBlock(lines: readonly string[], at: number): Read {
  const line = lines[at] ?? "";
  if (fence.test(line)) return readCode(lines, at);
  if (bullet.test(line) || numbered.test(line)) return readList(lines, at);
  const title = heading.exec(line)?.[1];
  if (title !== undefined) return { block: { kind: "heading", inlines: parseInline(title) }, next: at + 1 };
  return readText(lines, at, quote.test(line) ? "quote" : "paragraph");
}

/** A fence that is still open while the answer streams holds all that follows. */
function readCode(lines: readonly string[], at: number): Read {
  const end = lines.findIndex((line, index) => index > at && fence.test(line));
  const next = end < 0 ? lines.length : end;
  return { block: { kind: "code", text: lines.slice(at + 1, next).join("\n") }, next: next + 1 };
}

function readList(lines: readonly string[], at: number): Read {
  const ordered = !bullet.test(lines[at] ?? "");
  const item = ordered ? numbered : bullet;
  const start = ordered ? Number(numbered.exec(lines[at] ?? "")?.[1]) : 1;
  const items: string[] = [];
  let next = at;
  for (; next < lines.length; next += 1) {
    const line = lines[next] ?? "";
    const text = item.exec(line)?.at(-1);
    if (text !== undefined) items.push(text);
    else if (/^\s+\S/.test(line) && !bullet.test(line) && !numbered.test(line)) items.push(`${items.pop()} ${line.trim()}`);
    else if (line.trim() !== "" || !item.test(lines[next + 1] ?? "")) break;
  }
  return { block: { kind: "list", ordered, start, items: items.map(parseInline) }, next };
}

function readText(lines: readonly string[], at: number, kind: "paragraph" | "quote"): Read {
  const text: string[] = [];
  let next = at;
  for (; next < lines.length; next += 1) {
    const line = lines[next] ?? "";
    const starts = [fence, bullet, numbered, heading].some((mark) => mark.test(line));
    if (line.trim() === "" || (next > at && starts) || quote.test(line) !== (kind === "quote")) break;
    text.push(kind === "quote" ? (quote.exec(line)?.[1] ?? "") : line);
  }
  return { block: { kind, inlines: parseInline(text.join("\n")) }, next };
}
