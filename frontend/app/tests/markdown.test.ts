// An answer must read as it was written, also while half of it is still missing.
import assert from "node:assert/strict";
import test from "node:test";
import { formatDuration, formatRunning } from "../duration";
import { type Block, parseBlocks, parseInline } from "../markdown";
import { splitSentence } from "../sentence";

const kinds = (text: string) => parseBlocks(text).map((block: Block) => block.kind);

test("blank lines part paragraphs, and a single line break stays inside one", () => {
  assert.deepEqual(parseBlocks("One\ntwo\n\nThree"), [
    { kind: "paragraph", inlines: [{ kind: "text", text: "One\ntwo" }] },
    { kind: "paragraph", inlines: [{ kind: "text", text: "Three" }] },
  ]);
});

test("lists keep their items and the number they start with", () => {
  const [list, next] = parseBlocks("3. three\n   more\n4. four\n- dash");
  assert.deepEqual(list?.kind === "list" && [list.ordered, list.start, list.items.length], [true, 3, 2]);
  assert.deepEqual(list?.kind === "list" && list.items[0], [{ kind: "text", text: "three more" }]);
  assert.equal(next?.kind === "list" && next.ordered, false);
});

test("text right before a list, a heading or code is a paragraph of its own", () => {
  assert.deepEqual(kinds("Do this:\n- a\n- b\n\nThen:\n```\nx\n```\n## End\n> said"), [
    "paragraph",
    "list",
    "paragraph",
    "code",
    "heading",
    "quote",
  ]);
});

test("code that is still being written is code already", () => {
  assert.deepEqual(parseBlocks("```python\nprint(1)\n\nprint(2)"), [{ kind: "code", text: "print(1)\n\nprint(2)" }]);
});

test("citations, code and strong words are marked; everything else stays text", () => {
  assert.deepEqual(parseInline("Use `a[1]` **now** [1, 2] *or* 2*3*4 <b>"), [
    { kind: "text", text: "Use " },
    { kind: "code", text: "a[1]" },
    { kind: "text", text: " " },
    { kind: "strong", text: "now" },
    { kind: "text", text: " " },
    { kind: "cite", number: 1 },
    { kind: "cite", number: 2 },
    { kind: "text", text: " " },
    { kind: "emphasis", text: "or" },
    { kind: "text", text: " 2*3*4 <b>" },
  ]);
});

test("an unfinished mark is shown as it stands", () => {
  assert.deepEqual(parseInline("see **this [1"), [{ kind: "text", text: "see **this [1" }]);
});

test("the picture of a sentence comes off, the words stay", () => {
  assert.deepEqual(splitSentence("✍️ Generating response..."), { picture: "✍️", words: "Generating response..." });
  assert.deepEqual(splitSentence("No picture"), { picture: "", words: "No picture" });
});

test("durations are said as people say them, in the language of the page", () => {
  assert.equal(formatDuration(240.4, "en"), "240 ms");
  assert.equal(formatDuration(2149, "fr"), "2,1 s");
  assert.equal(formatDuration(65_000, "en"), "1 min 5 s");
  assert.equal(formatRunning(1999, "en"), "1.9 s");
  assert.equal(formatRunning(-50, "en"), "0.0 s");
  assert.equal(formatRunning(61_000, "en"), "1 min 1 s");
});
