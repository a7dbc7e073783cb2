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

export function startOver(answer: Answer, attempt: number): Answer {
  return attempt < answer.attempt ? answer : { ...noAnswer, attempt };
}

export function addPiece(answer: Answer, piece: Piece): Answer {
  if (piece.attempt < answer.attempt) return answer;
  const base = piece.attempt > answer.attempt ? startOver(answer, piece.attempt) : answer;
  if (piece.offset > base.length) return base.incomplete ? base : { ...base, incomplete: true };
  const points = [...piece.text];
  const length = piece.offset + points.length;
  if (length <= base.length) return base;
  const text = base.text + points.slice(base.length - piece.offset).join("");
  return { ...base, text, length };
}

/** The text so far as the server knows it: it also closes a hole. */
export function catchUp(answer: Answer, piece: Piece): Answer {
  if (piece.offset !== 0 || piece.attempt < answer.attempt) return addPiece(answer, piece);
  const { length } = [...piece.text];
  if (piece.attempt === answer.attempt && length < answer.length) return answer;
  return { attempt: piece.attempt, text: piece.text, length, incomplete: false };
}
