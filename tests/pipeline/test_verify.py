"""Judging a series of events: what is wrong is found, what is right or was cleaned up is not accused."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import orjson
import pytest

from pipeline.bus import Bus
from pipeline.errors import InvalidEvent
from pipeline.verify import Finding, Kind, Told, Verifier
from tests.pipeline.driven import NEWEST, DrivenRun, kept

TYPES = {
    "R": "message_received",
    "T": "agent_thinking",
    "S": "tool_search_documents",
    "G": "response_generation",
    "V": "saving_message",
    "E": "error",
    "O": "span",
}
STATUSES = {"[": "started", "~": "progress", "]": "completed", "!": "failed"}
FIRST_QUESTION = "R[ R] T[ S[ S~ S] T] G[ G] V[ V]"


def told(transcript: str, first_id: int = 1_000, session_id: str = "s", message_id: str = "m") -> list[Told]:
    """The events of a transcript such as `R[ R] T[`; ids and numbers go up by one. `O` is an operators' span."""
    found: list[Told] = []
    seq = 0
    for offset, word in enumerate(transcript.split()):
        name, status = TYPES[word[0]], STATUSES[word[1]]
        ordinary = word[0] == "O"
        seq += 0 if ordinary else 1
        found.append(
            Told(
                id=first_id + offset,
                seq=None if ordinary else seq,
                event_status=status,
                event_type=name,
                category="monitoring" if ordinary else "workflow",
                priority="normal",
                session_id=None if ordinary else session_id,
                message_id=message_id,
                user_id=None,
                correlation_id=None,
                trace_id=None,
                span_id=f"{message_id}-{word[0]}",
                parent_span_id=None,
                source_system="spanfeed",
            )
        )
    return found


def judged(events: Iterable[Told], verifier: Verifier | None = None) -> list[Finding]:
    """What is wrong with the events."""
    verifier = verifier or Verifier()
    return [finding for event in events for finding in verifier.feed(event)]


def kinds(events: Iterable[Told], verifier: Verifier | None = None) -> list[Kind]:
    """The kinds of what is wrong with the events."""
    return [finding.kind for finding in judged(events, verifier)]


RIGHT = (
    FIRST_QUESTION,
    "R[ R] T[ T] G[ G~ G~ G! E!",
    "R[ R] E!",
    "R[ R] G[ O[ O] G] V[ V]",
    "R[ R] G[ G! O[ E! O]",
)


@pytest.mark.parametrize("transcript", RIGHT)
def test_a_whole_run_is_right(transcript: str) -> None:
    """Without this an operator would be told of faults that are none, and stop reading them."""
    verifier = Verifier()
    assert judged(told(transcript), verifier) == []
    assert not verifier.open


WRONG = {
    "R[ R] R]": Kind.ENDED_TWICE,
    "R[ R] R!": Kind.ENDED_TWICE,
    "R[ R[ R]": Kind.STARTED_TWICE,
    "R[ R] R[": Kind.STARTED_TWICE,
    "R[ R] R~": Kind.AFTER_ENDING,
    "R[ R] T]": Kind.NOT_STARTED,
    "R[ R] T~ T[ T]": Kind.NOT_STARTED,
    "R[ R! E! T[ T]": Kind.AFTER_ENDING,
    "R[ R! E! E!": Kind.ENDED_TWICE,
}


@pytest.mark.parametrize(("transcript", "kind"), WRONG.items())
def test_a_run_that_breaks_the_grammar_is_found(transcript: str, kind: Kind) -> None:
    """Without this a stage that is told twice, or after its end, would be noticed by users first."""
    assert set(kinds(told(transcript))) == {kind}


def test_what_has_not_ended_stays_open_with_all_that_its_ending_needs() -> None:
    """Without this what a lost run left open could be seen, but not ended in its own name."""
    verifier = Verifier()
    assert judged(told("R[ R] T[ S[ S~"), verifier) == []
    assert [start.event_type for start in verifier.open.values()] == ["agent_thinking", "tool_search_documents"]
    identity = list(verifier.open.values())[1].identity()
    assert (identity.session_id, identity.message_id, identity.span_id) == ("s", "m", "m-S")


def test_a_number_that_is_missing_is_found() -> None:
    """Without this a client that counts would wait for an event that nobody knows to be lost."""
    events = told(FIRST_QUESTION)
    missing = judged(events[:4] + events[6:])
    assert [(f.kind, f.event_id) for f in missing if f.kind is Kind.MISSING] == [(Kind.MISSING, 1_006)]
    assert "numbers 5 to 6 are missing" in missing[0].text
    assert "number 5 is missing" in judged(events[:4] + events[5:])[0].text


@pytest.mark.parametrize("seq", [5, 3])
def test_a_number_that_comes_again_is_found(seq: int) -> None:
    """Without this a client that counts would drop an event as one that it has."""
    events = [dataclasses.replace(event, id=event.id * 10) for event in told(FIRST_QUESTION)]
    again = dataclasses.replace(events[5], id=events[5].id + 1, seq=seq, event_type="heard", span_id=None)
    # What comes after it is not accused, too.
    assert kinds([*events[:6], again, *events[6:]]) == [Kind.OUT_OF_ORDER]


def test_ids_that_go_back_are_found() -> None:
    """Without this a client would resume behind an event that it has not seen."""
    events = told(FIRST_QUESTION)
    events[7] = dataclasses.replace(events[7], id=events[6].id)
    assert kinds(events) == [Kind.OUT_OF_ORDER]


def test_numbering_that_begins_again_is_right() -> None:
    """Without this every Redis that was emptied, and every old session, would be reported for ever."""
    before, after = told("R[ R] G[ G]"), told("R[ R]", first_id=2_000, message_id="m2")
    assert kinds([*before, *after]) == []
    # Numbers that were put back to what an old file of Redis held: right with a new epoch, else wrong.
    back = [dataclasses.replace(event, seq=(event.seq or 0) + 1) for event in after]
    assert kinds([*before, *back], Verifier(epoch=1_500)) == []
    assert set(kinds([*before, *back])) == {Kind.OUT_OF_ORDER}


def test_what_was_cleaned_up_is_not_missed() -> None:
    """Without this every clean-up would be followed by a page of false alarms."""
    events = told(FIRST_QUESTION)
    assert kinds(events[5:]) == []
    # An audit event is kept for longer than those beside it.
    audit = dataclasses.replace(events[1], category="audit", event_type="audited", span_id=None)
    assert kinds([audit, *events[5:]]) == []
    assert kinds([*events[:2], *events[4:]], Verifier(kept_from=1_002)) == []


def test_memory_is_bounded() -> None:
    """Without this a million sessions would not fit; and one that is forgotten must not be accused."""
    verifier = Verifier(remembered=10)
    for number in range(500):
        first = 1_000 + 100 * number
        assert judged(told(FIRST_QUESTION, first, f"s{number}", f"m{number}"), verifier) == []
    assert sum(len(part._entries) for part in (verifier._numbers, verifier._messages, verifier._ended)) == 30
    assert not verifier.open
    late = [dataclasses.replace(event, id=event.id + 90_000, seq=90) for event in told("R[ R] V]")[2:]]
    assert judged(late, verifier) == []


def test_a_real_run_is_right_and_a_killed_one_is_open(bus: Bus) -> None:
    """Without this the scripts and this judge could have different ideas of a run."""
    whole, lost = DrivenRun(bus), DrivenRun(bus, "s-2")
    whole.submit()
    whole.stage("receive", "R", to="think")
    whole.begin("think", "T")
    whole.end("think", to="search")
    whole.begin("search", "S(docs)")
    whole.progress("S(docs)", count=3)
    whole.end("search", "S(docs)", "T", to="generate")
    whole.begin("generate", "G")
    whole.fail("generate")
    lost.submit()
    lost.stage("receive", "R", to="think")
    lost.begin("think", "T")
    verifier = Verifier()
    wires = [event.wire for event in sorted(kept(bus) + kept(bus, "s-2"), key=lambda event: event.id)]
    assert judged(map(Told.from_wire, wires), verifier) == []
    assert [start.message_id for start in verifier.open.values()] == [lost.message_id]
    start = next(iter(verifier.open.values()))
    fields = orjson.loads(wires[-1])
    assert {name: fields[name] for name in ("id", "seq", "span_id")} == {
        "id": start.id,
        "seq": start.seq,
        "span_id": start.span_id,
    }
    assert start.id < NEWEST


@pytest.mark.parametrize("wire", [b"", b"[]", b'{"seq": 1}', b"3", b"\xff"])
def test_what_is_no_event_is_refused(wire: bytes) -> None:
    """Without this one poisoned entry would end the look at all others."""
    with pytest.raises(InvalidEvent):
        Told.from_wire(wire)
