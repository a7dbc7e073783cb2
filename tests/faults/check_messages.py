"""What must be true of messages: each ends once (I1), and its answer is what was said (I7)."""

from __future__ import annotations

import collections
from collections.abc import Iterator

from tests.faults.journal import ClientLog, Evidence, MessageRow, Piece, Told
from tests.faults.violation import Violation

_ENDED = {"completed", "failed", "cancelled"}


def every_message_ends_once(evidence: Evidence) -> Iterator[Violation]:
    """I1: whatever was accepted is stored once and has exactly one terminal outcome, in table and events alike."""
    asked: dict[str, list[MessageRow]] = collections.defaultdict(list)
    for row in evidence.messages:
        if row.role == "user":
            asked[row.content].append(row)
    for post in evidence.posts:
        rows = asked.get(post.marker, [])
        if len(rows) > 1 or (post.accepted and not rows):
            yield Violation("I1", f"{post.marker} was accepted as {post.message_ids} and is stored {len(rows)} times")
        if len(set(post.message_ids)) > 1:
            yield Violation("I1", f"{post.marker} has one idempotency key and several messages: {post.message_ids}")
        for refusal in post.refusals:
            yield Violation("I1", f"{post.marker} was refused: {refusal}")
    told = _told_by_message(evidence)
    for rows in asked.values():
        for row in rows:
            yield from _ending_of(row, told.get(row.message_id, []), evidence)


def _told_by_message(evidence: Evidence) -> dict[str, list[Told]]:
    told: dict[str, list[Told]] = collections.defaultdict(list)
    for event in evidence.stored:
        if event.message_id is not None and event.seq is not None:
            told[event.message_id].append(event)
    return told


def _ending_of(row: MessageRow, told: list[Told], evidence: Evidence) -> Iterator[Violation]:
    if row.status not in _ENDED:
        last = told[-1] if told else "nothing"
        yield Violation("I1", f"{row.message_id} ({row.content}) is still {row.status}; its last event: {last}")
        return
    endings = [event for event in told if event.ends_message]
    expected = "saving_message" if row.status == "completed" else "error"
    if [event.event_type for event in endings] != [expected] and not _lost_ending(row, endings, evidence):
        shown = ", ".join(map(str, endings)) or "none"
        yield Violation("I1", f"{row.message_id} is {row.status}; its terminal events: {shown}")
    if endings and told[-1] != endings[0]:
        yield Violation("I1", f"{row.message_id} goes on behind its end: {told[-1]}")


def _lost_ending(row: MessageRow, endings: list[Told], evidence: Evidence) -> bool:
    """Whether its only ending lay in the log, not stored yet, when Redis was emptied on purpose."""
    if endings:
        return False
    lost = (evidence.emitted.get(event_id) for event_id in evidence.excused)
    return any(event is not None and event.message_id == row.message_id and event.ends_message for event in lost)


def answers_are_what_was_said(evidence: Evidence) -> Iterator[Violation]:
    """I7: one assistant row a message; it is the whole of what the model said, and of what every client heard."""
    answers: dict[str, list[MessageRow]] = collections.defaultdict(list)
    for row in evidence.messages:
        if row.role == "assistant":
            answers[row.message_id].append(row)
    for row in evidence.messages:
        if row.role != "user":
            continue
        mine = answers.get(row.message_id, [])
        if len(mine) > 1 or (row.status == "completed" and not mine):
            yield Violation("I7", f"{row.message_id} is {row.status} and has {len(mine)} answers")
        for answer in mine:
            if not answer.partial and evidence.texts and answer.content not in evidence.texts:
                yield Violation("I7", f"{row.message_id} was answered as nobody said: {answer.content!r}")
    yield from _replies(evidence, answers)
    final = _final_attempts(evidence)
    for client in evidence.clients:
        yield from _heard(client, answers, final)


def _replies(evidence: Evidence, answers: dict[str, list[MessageRow]]) -> Iterator[Violation]:
    for post in evidence.posts:
        for text in post.answers:
            saved = [row.content for row in answers.get(post.message_ids[0], [])]
            if [text] != saved:
                yield Violation("I7", f"{post.message_ids[0]} was answered {text!r}, but {saved} is stored")


def _final_attempts(evidence: Evidence) -> dict[str, int]:
    """The attempt whose text was saved, by message."""
    return {
        event.message_id: event.attempt
        for event in evidence.stored
        if event.event_type == "response_generation"
        and event.status == "completed"
        and event.message_id is not None
        and event.attempt is not None
    }


def _heard(client: ClientLog, answers: dict[str, list[MessageRow]], final: dict[str, int]) -> Iterator[Violation]:
    """Tokens are not repeated after a lost connection; but what was heard stands where it says in the answer."""
    for piece in client.pieces:
        rows = answers.get(piece.message_id, [])
        if len(rows) != 1 or rows[0].partial or piece.attempt != final.get(piece.message_id):
            continue
        if not _fits(piece, rows[0].content):
            yield Violation(
                "I7", f"{client.name} heard {piece.text!r} at {piece.offset} of {piece.message_id}: {rows[0].content!r}"
            )


def _fits(piece: Piece, answer: str) -> bool:
    return answer[piece.offset : piece.offset + len(piece.text)] == piece.text
