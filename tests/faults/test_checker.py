"""The checker is shown broken journals, one for each way to break an invariant, and must say so."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from tests.faults.checker import judge
from tests.faults.journal import ClientLog, Evidence, Flush, MessageRow, Piece, Post, Sample, Told

SESSION = "s-1"
ANSWER = "one two "
STAGES = ("message_received", "agent_thinking", "response_generation", "saving_message")


def whole() -> Evidence:
    """A run in which nothing went wrong: one answered message, seen by three clients."""
    told = []
    for number, stage in enumerate(STAGES):
        for place, status in enumerate(("started", "completed")):
            at = number * 2 + place
            told.append(Told(100 + at, at + 1, SESSION, "m-1", f"span-{number}", stage, status, 1))
    told.append(Told(150, 1, "emitter", None, None, "job.progress", "progress", mark="mark-1"))
    session = [event for event in told if event.session_id == SESSION]
    return Evidence(
        posts=[Post("question 1", SESSION, True, ["m-1", "m-1"], [ANSWER])],
        clients=[
            ClientLog("socket", SESSION, events=list(session), pieces=[Piece("m-1", 1, 4, "two ")]),
            ClientLog("poll", SESSION, after=101, events=session[2:]),
            ClientLog("passer", SESSION, after=101, resumes=False, upto=103, events=session[2:4]),
        ],
        emitted={event.id: event for event in told},
        marks=["mark-1"],
        stored=told,
        messages=[
            MessageRow(SESSION, "m-1", "user", "completed", None, "question 1", False),
            MessageRow(SESSION, "m-1", "assistant", "completed", None, ANSWER, False),
        ],
        dead_letters=["7-1"],
        poison=["7-1"],
        texts=frozenset({ANSWER}),
        before=[Sample("web", 100_000_000, 10, 50)],
        after=[Sample("web", 105_000_000, 11, 52)],
    )


def _change(events: list[Told], event_id: int, **fields: object) -> None:
    at = next(i for i, event in enumerate(events) if event.id == event_id)
    events[at] = dataclasses.replace(events[at], **fields)  # type: ignore[arg-type]


def _drop(events: list[Told], event_id: int) -> None:
    events.remove(next(event for event in events if event.id == event_id))


def _message(evidence: Evidence, role: str, **fields: object) -> None:
    at = next(i for i, row in enumerate(evidence.messages) if row.role == role)
    evidence.messages[at] = dataclasses.replace(evidence.messages[at], **fields)  # type: ignore[arg-type]


def _never_ends(e: Evidence) -> None:
    _message(e, "user", status="accepted")


def _not_stored(e: Evidence) -> None:
    e.posts.append(Post("question 2", SESSION, False, ["m-2"]))


def _stored_twice(e: Evidence) -> None:
    e.messages.append(MessageRow(SESSION, "m-2", "user", "failed", "error", "question 1", False))


def _two_messages_for_one_key(e: Evidence) -> None:
    e.posts[0].message_ids.append("m-9")


def _refused(e: Evidence) -> None:
    e.posts[0].refusals.append("409 Conflict")


def _two_endings(e: Evidence) -> None:
    e.stored.append(Told(108, 9, SESSION, "m-1", "root", "error", "failed", 1, "worker_lost"))


def _row_and_event_differ(e: Evidence) -> None:
    _message(e, "user", status="failed")


def _goes_on_behind_its_end(e: Evidence) -> None:
    e.stored.insert(8, Told(108, 9, SESSION, "m-1", "span-2", "response_generation", "progress", 2))


def _open_span(e: Evidence) -> None:
    _drop(e.stored, 105)


def _ended_twice(e: Evidence) -> None:
    e.stored.append(Told(108, 9, SESSION, "m-1", "span-1", "agent_thinking", "failed", 1))


def _started_twice(e: Evidence) -> None:
    e.stored.append(Told(108, 9, SESSION, "m-1", "span-1", "agent_thinking", "started", 2))


def _lost_event(e: Evidence) -> None:
    e.emitted[109] = Told(109, 9, SESSION, "m-1", "span-1", "agent_thinking", "progress", 1)


def _lost_mark(e: Evidence) -> None:
    e.marks.append("mark-2")


def _mark_twice(e: Evidence) -> None:
    e.stored.append(Told(151, 2, "emitter", None, None, "job.progress", "progress", mark="mark-1"))


def _row_twice(e: Evidence) -> None:
    e.stored.append(e.stored[0])


def _hole_in_numbers(e: Evidence) -> None:
    _change(e.stored, 107, seq=9)


def _numbers_begin_anew(e: Evidence) -> None:
    _change(e.stored, 106, seq=1)


def _progress_behind_the_end(e: Evidence) -> None:
    e.stored.append(Told(108, 9, SESSION, "m-1", "span-1", "agent_thinking", "progress", 1))


def _client_out_of_order(e: Evidence) -> None:
    e.clients[0].events[2], e.clients[0].events[3] = e.clients[0].events[3], e.clients[0].events[2]


def _client_missed(e: Evidence) -> None:
    _drop(e.clients[0].events, 104)


def _client_told_twice(e: Evidence) -> None:
    e.clients[1].events.append(e.clients[1].events[-1])


def _passer_missed(e: Evidence) -> None:
    _drop(e.clients[2].events, 102)


def _client_told_what_is_not_stored(e: Evidence) -> None:
    e.clients[0].events.append(Told(199, 9, SESSION, "m-1", "span-9", "agent_thinking", "progress", 1))


def _reset_without_cause(e: Evidence) -> None:
    e.clients[0].resets.append("epoch")


def _open_spinner(e: Evidence) -> None:
    _drop(e.clients[0].events, 107)


def _no_answer(e: Evidence) -> None:
    e.messages.pop()


def _two_answers(e: Evidence) -> None:
    e.messages.append(e.messages[-1])


def _half_an_answer(e: Evidence) -> None:
    _message(e, "assistant", content="one ")


def _reply_and_row_differ(e: Evidence) -> None:
    e.posts[0].answers[0] = "three "


def _heard_something_else(e: Evidence) -> None:
    e.clients[0].pieces.append(Piece("m-1", 1, 0, "two "))


def _leaked_files(e: Evidence) -> None:
    e.after[0] = Sample("web", 100_000_000, 10, 500)


def _leaked_threads(e: Evidence) -> None:
    e.after[0] = Sample("web", 100_000_000, 50, 50)


def _leaked_memory(e: Evidence) -> None:
    e.after[0] = Sample("web", 900_000_000, 10, 50)


def _buried_an_event(e: Evidence) -> None:
    e.dead_letters.append("8-1")


def _poison_not_buried(e: Evidence) -> None:
    e.dead_letters.clear()


BROKEN: list[tuple[str, Callable[[Evidence], None]]] = [
    ("I1", _never_ends),
    ("I1", _not_stored),
    ("I1", _stored_twice),
    ("I1", _two_messages_for_one_key),
    ("I1", _refused),
    ("I1", _two_endings),
    ("I1", _row_and_event_differ),
    ("I1", _goes_on_behind_its_end),
    ("I2", _open_span),
    ("I2", _ended_twice),
    ("I2", _started_twice),
    ("I3", _lost_event),
    ("I3", _lost_mark),
    ("I3", _mark_twice),
    ("I3", _row_twice),
    ("I4", _hole_in_numbers),
    ("I4", _numbers_begin_anew),
    ("I4", _progress_behind_the_end),
    ("I4", _client_out_of_order),
    ("I5", _client_missed),
    ("I5", _client_told_twice),
    ("I5", _passer_missed),
    ("I5", _client_told_what_is_not_stored),
    ("I5", _reset_without_cause),
    ("I6", _open_spinner),
    ("I7", _no_answer),
    ("I7", _two_answers),
    ("I7", _half_an_answer),
    ("I7", _reply_and_row_differ),
    ("I7", _heard_something_else),
    ("I8", _leaked_files),
    ("I8", _leaked_threads),
    ("I8", _leaked_memory),
    ("I9", _buried_an_event),
    ("I9", _poison_not_buried),
]


def test_a_whole_run_breaks_nothing() -> None:
    """Without this every run would fail, and nobody would look at the next."""
    assert judge(whole()) == []


@pytest.mark.parametrize(("invariant", "break_it"), BROKEN, ids=[f.__name__.strip("_") for _, f in BROKEN])
def test_a_broken_run_is_reported(invariant: str, break_it: Callable[[Evidence], None]) -> None:
    """Without this a run that lost a message or an event would be called a good one."""
    evidence = whole()
    break_it(evidence)
    assert invariant in {violation.invariant for violation in judge(evidence)}


def test_what_was_lost_on_purpose_is_excused() -> None:
    """Without this emptying Redis could not be tried at all."""
    evidence = whole()
    lost = Told(160, 2, "emitter", None, None, "job.progress", "progress", mark="mark-2")
    evidence.emitted[160] = lost
    evidence.marks.append("mark-2")
    evidence.poison.append("160-1")
    evidence.flushes.append(Flush(160, frozenset({160}), frozenset({"160-0", "160-1"})))
    evidence.stored.append(Told(170, 1, "emitter", None, None, "job.progress", "progress", mark="mark-3"))
    evidence.clients[0].resets.append("epoch")
    assert judge(evidence) == []


def test_what_was_stored_before_is_not_excused() -> None:
    """Without this a history that went away with Redis would not be missed."""
    evidence = whole()
    evidence.flushes.append(Flush(160, frozenset({160})))
    _drop(evidence.stored, 103)
    assert {"I2", "I3", "I4", "I5"} <= {violation.invariant for violation in judge(evidence)}
