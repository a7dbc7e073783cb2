// The text of one answer, put together from pieces that may repeat, overlap, start over or leave a hole.

export interface Answer {
  attempt: number;
  text: string;
  /** Length of `text` in Unicode code points, the unit of the server's offsets. */
  length: number;
  /** A piece is missing: `text` is a true beginning, and the whole must be fetched at the end. */
  incomplete: boolean;
}

export interface Piece {
  attempt: number;
  offset: number;
  text: string;
}

export const noAnswer: Answer = { attempt: 0, text: "", length: 0, incomplete: false };

function codePoints(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i += 1) {
    if (isPair(text, i)) i += 1;
    count += 1;
  }
  return count;
}

function isPair(text: string, index: number): boolean {
  const high = text.charCodeAt(index) >> 10 === 0x36;
  return high && text.charCodeAt(index + 1) >> 10 === 0x37;
}

function withoutFirst(text: string, count: number): string {
  let index = 0;
  for (let left = count; left > 0; left -= 1) index += isPair(text, index) ? 2 : 1;
  return text.slice(index);
}

export function startOver(answer: Answer, attempt: number): Answer {
  return attempt < answer.attempt ? answer : { ...noAnswer, attempt };
}

export function addPiece(answer: Answer, piece: Piece): Answer {
  if (piece.attempt < answer.attempt) return answer;
  const base = piece.attempt > answer.attempt ? startOver(answer, piece.attempt) : answer;
  if (piece.offset > base.length) return base.incomplete ? base : { ...base, incomplete: true };
  const length = piece.offset + codePoints(piece.text);
  if (length <= base.length) return base;
  const text = base.text + withoutFirst(piece.text, base.length - piece.offset);
  return { ...base, text, length };
}

/** The text so far as the server knows it: it also closes a hole. */
export function catchUp(answer: Answer, piece: Piece): Answer {
  if (piece.offset !== 0 || piece.attempt < answer.attempt) return addPiece(answer, piece);
  const length = codePoints(piece.text);
  if (piece.attempt === answer.attempt && length < answer.length) return answer;
  return { attempt: piece.attempt, text: piece.text, length, incomplete: false };
}
