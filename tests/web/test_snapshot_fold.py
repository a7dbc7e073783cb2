"""The server's fold: the same as the page's client, and as good a beginning as the events themselves."""

from __future__ import annotations

import datetime
import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.parts.node_program import node_program
from tests.web.folding import FIRST_ID, TRANSCRIPTS, Data, document, event, read_back, runs, transcript
from web.feed.fold import Message, fold

_CLIENT = """
import { emptyState, foldEvent } from "./client/fold";
import { stageTree } from "./client/select";
import { createInterface } from "node:readline";

const drawn = ({ stage, children }) => ({
  key: stage.key, span_id: stage.spanId, parent_span_id: stage.parentSpanId, event_type: stage.type,
  event_status: stage.status, sentence: stage.sentence, started_at: stage.startedAt, ended_at: stage.endedAt,
  processing_time_ms: stage.durationMs, queue_time_ms: stage.queueMs, attempt: stage.attempt, reason: stage.reason,
  notes: stage.notes, data: stage.data, children: children.map(drawn),
});
for await (const line of createInterface({ input: process.stdin })) {
  const state = JSON.parse(line).reduce(foldEvent, emptyState);
  console.log(JSON.stringify(state.order.map((id) => {
    const message = state.messages[id];
    return {
      message_id: id, status: message.state === "answered" ? "completed" : message.state, sentence: message.sentence,
      started_at: message.startedAt, ended_at: message.endedAt, failure: message.failure,
      stages: stageTree(message).map(drawn),
    };
  })));
}
"""


def _as_the_page(cases: list[list[Data]], folder: Path) -> list[Any]:
    """What the page's client makes of each list of events."""
    command = node_program(_CLIENT, folder)
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _ms(text: str | None) -> int | None:
    if text is None:
        return None
    return (datetime.datetime.fromisoformat(text) - datetime.datetime.fromtimestamp(0, datetime.UTC)) // (
        datetime.timedelta(milliseconds=1)
    )


def _in_its_words(told: Data) -> Data:
    """A document with the client's moments, and without the id that the client does not keep."""
    told = {name: value for name, value in told.items() if name != "first_id"}
    told |= {name: _ms(told[name]) for name in ("started_at", "ended_at")}
    for name in {"stages", "children"} & set(told):
        told[name] = [_in_its_words(stage) for stage in told[name]]
    return told


def test_the_page_folds_the_same(tmp_path: Path) -> None:
    """Without this a page that begins from a snapshot would show something else than one that was there."""
    whole = [transcript(name) for name in TRANSCRIPTS]
    assert len(whole) == 13
    prefixes = [events[:count] for events in whole for count in range(1, len(events) + 1)]
    cut = [events[count:] for events in whole for count in range(1, len(events), 3)]
    chance = random.Random(7)
    shuffled = [_renumbered(chance.sample(events, len(events))) for events in whole for _ in range(5)]
    cases = prefixes + cut + shuffled + [_any_run(chance) for _ in range(300)]
    for case, expected in zip(cases, _as_the_page(cases, tmp_path), strict=True):
        assert [_in_its_words(document(message)) for message in fold(case).values()] == expected


def _renumbered(events: list[Data]) -> list[Data]:
    return [event(FIRST_ID + n * 77_777, **_without(one, "id", "timestamp")) for n, one in enumerate(events)]


def _without(one: Data, *names: str) -> Data:
    return {("status" if name == "event_status" else name): one[name] for name in one if name not in names}


def _any_run(chance: random.Random) -> list[Data]:
    """Events of any kind, by a seed: Hypothesis gives no fixed number of them."""
    made = []
    for number in range(chance.randint(1, 25)):
        place = chance.randint(0, 5)
        spans = [None, "", "s0", "s1", "s2", "s3"]
        made.append(
            event(
                FIRST_ID + number * 1_000_003 + chance.randint(0, 999_999),
                chance.choice(["agent_thinking", "my_step", "error", "saving_message"]),
                chance.choice(["started", "progress", "completed", "failed", None]),
                message_id=chance.choice(["m1", "m2", None]),
                span_id=spans[place],
                parent_span_id=chance.choice([None, *spans[2:place], "elsewhere"]),
                user_message=chance.choice([None, "", "said é 🔍"]),
                event_data=chance.choice([None, {}, {"collection": "a"}, {"attempt": 3}, {"n": [1, {"x": None}]}]),
                reason=chance.choice([None, "", "retry", "error", "cancelled"]),
                attempt=chance.choice([None, 1, 2, 3]),
                processing_time_ms=chance.choice([None, 0, 7, 1_234]),
                queue_time_ms=chance.choice([None, 0, 5]),
            )
        )
    return made


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_a_transcript_is_folded_to_its_end(name: str) -> None:
    """Without this a page that is opened after the end would show a stage that never ends, or no failure."""
    events = transcript(name)
    [message] = fold(events).values()
    last = events[-1]
    assert message.ended == last["id"]
    assert message.status == ("completed" if last["event_type"] == "saving_message" else _failed(last))
    assert [stage for stage in message.stages if not stage.is_ended] == []
    spans = list(dict.fromkeys(one["span_id"] for one in events if one["event_type"] != "error"))
    assert [stage.span_id for stage in message.stages] == spans
    again = [one for one in events if one["event_status"] == "progress" and one["reason"]]
    assert [note.id for stage in message.stages for note in stage.notes] == [one["id"] for one in again]


def _failed(last: Data) -> str:
    return "cancelled" if last["reason"] == "cancelled" else "failed"


def _told(messages: dict[str, Message]) -> dict[str, Message]:
    """Messages as they come out of a snapshot's JSON."""
    return {message_id: read_back(document(message)) for message_id, message in messages.items()}


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_a_transcript_may_be_cut_anywhere(name: str) -> None:
    """Without this a page that comes late would draw other stages than one that was there all the time."""
    events = transcript(name)
    whole = fold(events)
    for place in range(len(events) + 1):
        assert fold(events[place:], _told(fold(events[:place]))) == whole


@given(runs(), st.data())
@settings(max_examples=150, deadline=None)
def test_a_snapshot_and_the_rest_give_the_same_as_all(events: list[Data], data: st.DataObject) -> None:
    """Without this what a page shows would depend on when it was opened."""
    place = data.draw(st.integers(0, len(events)))
    whole = fold(events)
    begun = _told(fold(events[:place]))
    assert fold(events[place:], begun) == whole
    assert list(begun) == list(whole)


def test_stages_in_a_circle_or_too_deep_are_not_lost() -> None:
    """Without this an emitter's mistake would hide stages, or make a document that nobody can read."""
    names = [f"s{number}" for number in range(400)]
    parents = [None, *names[:-1]]
    events = [
        event(FIRST_ID + n, "step", "started", message_id="m", span_id=name, parent_span_id=parent)
        for n, (name, parent) in enumerate(zip(names, parents, strict=True))
    ]
    pairs = [("a", "b"), ("b", "a"), ("c", "c")]
    events += [
        event(FIRST_ID + 500 + n, "step", "started", message_id="m", span_id=name, parent_span_id=parent)
        for n, (name, parent) in enumerate(pairs)
    ]
    whole = fold(events)
    assert [stage.key for stage in whole["m"].stages] == [*names, "a", "b", "c"]
    assert _told(whole) == whole


def test_data_that_is_nested_as_deep_as_an_event_may_be_is_told() -> None:
    """Without this one event of an emitter would make every snapshot of its session an error."""
    deep: Any = "\\b"
    for _ in range(30):
        deep = [deep]
    events = [
        event(FIRST_ID + n, "step", "started", message_id="m", span_id=f"s{n}", parent_span_id=f"s{n - 1}")
        | {"event_data": {"deep": deep}}
        for n in range(10)
    ]
    whole = fold(events)
    assert _told(whole) == whole
