// What a card says and offers: no wait may go unsaid, no button may lie, no partial answer may pass for a whole one.
import assert from "node:assert/strict";
import test from "node:test";
import { emptyState, type FeedEvent, foldEvent, type Message } from "../../client";
import { event } from "../../client/tests/fakes";
import { type Card, cardOf, type Moment } from "../card";
import { refusal } from "../refusal";
import { type Language, texts } from "../texts";
import { newTurn, noRecord, type Outcome, type Turn } from "../turns";

const START = Date.parse("2026-11-01T10:00:00Z");
const asked = { ...newTurn({ key: "m", messageId: "m", question: "Why?", askedAt: START }), recorded: true };

const heard = (...events: FeedEvent[]): Message | undefined => events.reduce(foldEvent, emptyState).messages["m"];
const begun = event(1, "message_received", "started", { span_id: "r" });
const received = event(2, "message_received", "completed", { span_id: "r" });
const thinks = event(90, "agent_thinking", "started", { span_id: "t" });
const end = (reason: string) => event(95, "error", "failed", { reason, user_message: "❌ Over" });

function card(turn: Partial<Turn>, message?: Message, moment: Partial<Moment> = {}): Card {
  return cardOf({ ...asked, ...turn }, message, { now: START + 60_000, live: true, retried: false, ...moment });
}

const outcome = (more: Partial<Outcome>): Outcome => ({ ...noRecord, reason: "cancelled", state: "cancelled", ...more });

test("an accepted question without any news says after five seconds that it waits, and for how long", () => {
  assert.equal(card({}, undefined, { now: START + 4_900 }).waitedMs, null);
  assert.equal(card({}, undefined, { now: START + 7_300 }).waitedMs, 7_300);
});

test("between two stages the wait counts from the end of the last one", () => {
  const message = heard(begun, received);
  assert.equal(card({}, message, { now: START + 200 + 4_999 }).waitedMs, null);
  assert.equal(card({}, message, { now: START + 200 + 6_000 }).waitedMs, 6_000);
  assert.equal(card({}, heard(begun, received, thinks)).waitedMs, null, "somebody is at work on it again");
});

test("nothing is said of a wait that nobody can know of", () => {
  assert.equal(card({ messageId: null }).waitedMs, null, "it is still being sent");
  assert.equal(card({}, undefined, { live: false }).waitedMs, null, "the connection is lost");
  assert.equal(card({}, heard(begun, received, end("timeout"))).waitedMs, null, "it has ended");
  assert.equal(card({ outcome: outcome({}) }).waitedMs, null, "its record has ended");
  assert.equal(card({ askedAt: null }).waitedMs, null, "nobody knows since when");
});

test("an answer can be stopped while it runs, and only then", () => {
  assert.equal(card({}).offer, "stop");
  assert.equal(card({}, heard(begun)).offer, "stop");
  assert.equal(card({ messageId: null }).offer, null, "the server does not know it yet");
  const saved = heard(begun, event(3, "saving_message", "completed"));
  assert.deepEqual([card({}, saved).state, card({}, saved).offer], ["running", null], "only its record is awaited");
  assert.equal(card({ outcome: outcome({ state: "answered" }) }).offer, null);
});

test("what failed or was stopped can be tried again, once", () => {
  for (const state of ["failed", "cancelled"] as const) {
    const turn = { outcome: outcome({ state }) };
    assert.equal(card(turn).offer, "retry");
    assert.equal(card(turn, undefined, { retried: true }).offer, null);
  }
  assert.equal(card({}, heard(begun, end("cancelled"))).offer, "retry");
  assert.equal(card({ outcome: noRecord }).offer, null, "the server has nothing to try again");
});

test("a stop is under way until the message has ended, and does not make the new button busy", () => {
  const wish = { deed: "stop", problem: null } as const;
  const running = card({ wish }, heard(begun));
  assert.deepEqual([running.state, running.offer, running.busy], ["running", "stop", true]);
  const over = card({ wish }, heard(begun, end("cancelled")));
  assert.deepEqual([over.state, over.offer, over.busy], ["cancelled", "retry", false]);
});

test("a refusal is shown with the button it is about, and no longer", () => {
  const problem = { status: 503, detail: "Down", retryAfterMs: 2_000 };
  const wish = { deed: "stop", problem } as const;
  assert.deepEqual([card({ wish }).problem, card({ wish }).busy], [problem, false]);
  assert.equal(card({ wish }, heard(begun, end("timeout"))).problem, null);
});

test("a refusal is said in the reader's words", () => {
  const problem = { status: 429, detail: "Too many requests: 60 per 1 minute", retryAfterMs: 2_400 };
  assert.equal(refusal("retry", problem, texts.en), "Too many requests in a short time. Please try again in 3 s.");
  const said = new Set<string>();
  for (const language of Object.keys(texts) as Language[]) {
    for (const status of [0, 409, 429, 503]) {
      const text = refusal("retry", { status, detail: "Redis", retryAfterMs: null }, texts[language]);
      assert.ok(text && !text.includes("Redis"), `${language} ${status}: ${text}`);
      said.add(text);
    }
  }
  assert.equal(said.size, 12);
  assert.equal(refusal("retry", { status: 404, detail: "Message not found", retryAfterMs: null }, texts.fr), "Message not found");
  assert.equal(refusal("retry", { status: 500, detail: "", retryAfterMs: null }, texts.fr), texts.fr.refused);
});

test("what had been said when it ended is marked; a whole answer is not", () => {
  assert.equal(card({ outcome: outcome({ answer: "Beca", partial: true }) }).partial, true);
  assert.equal(card({ outcome: outcome({ state: "failed", answer: "Beca" }) }).partial, true);
  assert.equal(card({ outcome: outcome({ state: "answered", answer: "Because." }) }).partial, false);
  assert.equal(card({ outcome: outcome({ partial: true }) }).partial, false, "nothing had been said");
  assert.equal(card({}, heard(begun)).partial, false);
});
