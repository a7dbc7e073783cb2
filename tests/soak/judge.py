"""The judge: what clients were told, against what the database holds. It reads the database by itself."""

from __future__ import annotations

import collections
import dataclasses
import fnmatch
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.soak.life import Life

_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Held:
    """An event as it is kept."""

    id: int
    seq: int
    event_type: str
    status: str


@dataclasses.dataclass(frozen=True)
class Violation:
    """`kind`: missing, twice, out of order, unknown, wrong number, wrong, lost, hole, leak."""

    kind: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"


def held_by_database(file: Path) -> dict[str, list[Held]]:
    """Every session's events, ascending."""
    found: dict[str, list[Held]] = collections.defaultdict(list)
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        question = "select session_id, id, seq, event_type, event_status from events where seq is not null order by id"
        for session_id, *fields in connection.execute(question):
            found[session_id].append(Held(*fields))
    connection.close()
    return found


def owed(life: Life, held: Iterable[Held]) -> list[Held]:
    """What the client should have been told over its whole life."""
    wanted: dict[str, list[str]] = collections.defaultdict(list)
    for name, value in life.filters:
        wanted[name].append(value)
    types, statuses = wanted["event_type"], wanted["event_status"]
    return [
        event
        for event in held
        if life.since is not None
        and event.id > life.since
        and (not types or any(fnmatch.fnmatchcase(event.event_type, one) for one in types))
        and (not statuses or event.status in statuses)
    ]


def judge(
    lives: Iterable[Life], held: Mapping[str, Sequence[Held]], emitted: Mapping[str, Sequence[int]]
) -> list[Violation]:
    """Every violation. `emitted`: the ids that were acknowledged to the feeder, by session."""
    found = [violation for life in lives for violation in _of_client(life, held.get(life.session_id, ()))]
    for session_id, ids in emitted.items():
        found += _of_record(session_id, held.get(session_id, ()), ids)
    return found


def _of_client(life: Life, held: Sequence[Held]) -> Iterator[Violation]:
    who = f"client {life.number} of {life.session_id}"
    for what in life.wrong:
        yield Violation("wrong", f"{who}: {what}")
    if life.since is None:
        yield Violation("wrong", f"{who}: was never let in")
        return
    expected = {event.id: event for event in owed(life, held)}
    first: dict[int, int] = {}
    highest = 0
    for position, (event_id, seq) in enumerate(life.seen):
        where = f"{who}: event {event_id} (seq {seq}) in [{life.visit_of(position)}]"
        if event_id in first:
            yield Violation("twice", f"{where}, first in [{life.visit_of(first[event_id])}]")
            continue
        first[event_id] = position
        if event_id < highest:
            yield Violation("out of order", f"{where}, behind {highest}")
        highest = max(highest, event_id)
        if event_id not in expected:
            yield Violation("unknown", where)
        elif expected[event_id].seq != seq:
            yield Violation("wrong number", f"{where}, kept as {expected[event_id].seq}")
    yield from _missing(who, life, [event for event in expected.values() if event.id not in first])


def _missing(who: str, life: Life, missing: Sequence[Held]) -> Iterator[Violation]:
    ids = [event_id for event_id, _ in life.seen]
    for event in missing:
        behind = next((place for place, event_id in enumerate(ids) if event_id > event.id), len(ids))
        where = f"passed over in [{life.visit_of(behind)}]" if behind < len(ids) else "never passed"
        yield Violation("missing", f"{who}: event {event.id} (seq {event.seq}, {event.event_type}), {where}")


def _of_record(session_id: str, held: Sequence[Held], emitted: Sequence[int]) -> Iterator[Violation]:
    lost = sorted(set(emitted) - {event.id for event in held})
    if lost:
        yield Violation("lost", f"{session_id}: {len(lost)} acknowledged events are not kept, first {lost[:_SHOWN]}")
    numbers = [event.seq for event in held]
    if numbers != list(range(1, len(numbers) + 1)):
        yield Violation("hole", f"{session_id}: the numbers of {len(numbers)} events are not dense")
