// A reader loses words, or sees them twice, when these fail.
import assert from "node:assert/strict";
import test from "node:test";
import { addPiece, type Answer, catchUp, noAnswer, startOver } from "../answer";

const piece = (offset: number, text: string, attempt = 1) => ({ attempt, offset, text });
const all = (...pieces: ReturnType<typeof piece>[]): Answer => pieces.reduce(addPiece, noAnswer);

test("pieces in order make the text", () => {
  assert.equal(all(piece(0, "One "), piece(4, "two"), piece(7, ".")).text, "One two.");
});

test("a repeated or overlapping piece adds only what is new", () => {
  assert.equal(all(piece(0, "One "), piece(0, "One "), piece(2, "e two")).text, "One two");
});

test("offsets count code points, not UTF-16 units", () => {
  const answer = all(piece(0, "🙂é🙂"), piece(3, "!"), piece(2, "🙂!?"));
  assert.equal(answer.text, "🙂é🙂!?");
  assert.equal(answer.length, 5);
});

test("a hole keeps the true beginning and says that the rest must be fetched", () => {
  const answer = all(piece(0, "One "), piece(8, "three"));
  assert.deepEqual(answer, { attempt: 1, text: "One ", length: 4, incomplete: true });
});

test("the text so far closes a hole", () => {
  const answer = catchUp(all(piece(0, "One "), piece(8, "three")), piece(0, "One two three"));
  assert.equal(answer.text, "One two three");
  assert.equal(answer.incomplete, false);
});

test("the text so far never takes away what is already known", () => {
  assert.equal(catchUp(all(piece(0, "One two")), piece(0, "One ")).text, "One two");
});

test("a later attempt replaces an earlier one, and an earlier one is not heard any more", () => {
  const answer = all(piece(0, "Wrong"), piece(0, "Ri", 2), piece(5, " again", 1), piece(2, "ght", 2));
  assert.deepEqual([answer.text, answer.attempt], ["Right", 2]);
});

test("starting over empties the text", () => {
  assert.equal(startOver(all(piece(0, "Wrong")), 2).text, "");
  assert.equal(startOver(all(piece(0, "Right", 2)), 1).text, "Right");
});
