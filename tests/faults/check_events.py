"""What must be true of events: endings (I2), loss (I3), order (I4), leaks (I8) and dead letters (I9)."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable, Iterator

from tests.faults.journal import Evidence, Sample, Told
from tests.faults.violation import Violation

_SHARE = 1.1
# What a process may keep that it had not opened when it was measured first: a database's pool (5 connections of
# SQLite are 15 files), code that was imported late. A web server keeps its threads (192 in a run) and the connection
# to Redis that each of them has opened.
_ROOM = {"web/child": (224, 200)}
_FILES, _THREADS = 24, 16
_MEMORY_BYTES = 48 * 1024 * 1024
_ORDER = {"started": 0, "progress": 1, "completed": 2, "failed": 2}


def every_span_ends_once(evidence: Evidence) -> Iterator[Violation]:
    """I2: each span that is stored as started has started once and ended once."""
    spans: dict[str, list[Told]] = collections.defaultdict(list)
    for event in evidence.stored:
        if event.span_id is not None and event.event_type != "error" and not event.mark:
            spans[event.span_id].append(event)
    lost = {evidence.emitted[i].span_id for i in evidence.excused if i in evidence.emitted}
    for span_id, told in spans.items():
        started = sum(event.status == "started" for event in told)
        ended = sum(event.ends for event in told)
        expected = (1, 1)
        if span_id in lost and started <= 1 and ended <= 1:
            continue
        if (started, ended) != expected:
            shown = "; ".join(map(str, told))
            yield Violation("I2", f"span {span_id} has started {started} times and ended {ended} times: {shown}")


def stored_is_emitted(evidence: Evidence) -> Iterator[Violation]:
    """I3: what the log or a client was seen to hold is stored, each once; but for what was lost on purpose."""
    stored = collections.Counter(event.id for event in evidence.stored)
    seen = dict(evidence.emitted)
    for client in evidence.clients:
        seen |= {event.id: event for event in client.events}
    missing = sorted(set(seen) - set(stored) - evidence.excused)
    for event_id in missing:
        yield Violation("I3", f"lost: {seen[event_id]}")
    for event_id, count in stored.items():
        if count > 1:
            yield Violation("I3", f"event {event_id} is stored {count} times")
    yield from _marks(evidence)


def _marks(evidence: Evidence) -> Iterator[Violation]:
    ids: dict[str, list[int]] = collections.defaultdict(list)
    for event in evidence.stored:
        if event.mark:
            ids[event.mark].append(event.id)
    lost = {evidence.emitted[i].mark for i in evidence.excused if i in evidence.emitted}
    for mark in evidence.marks:
        if mark not in ids and mark not in lost:
            yield Violation("I3", f"lost: the emitter was told that {mark} is written, and it is not stored")
    for mark, found in ids.items():
        # What was written when Redis was emptied may be said again: its key is forgotten.
        if len(found) > 1 and len({evidence.epoch_of(i) for i in found}) != len(found):
            yield Violation("I3", f"twice: {mark} was emitted once and is stored as {found}")


def ids_and_order(evidence: Evidence) -> Iterator[Violation]:
    """I4: in each session `seq` counts 1, 2, 3 … as ids grow; in each span started, progress, terminal."""
    yield from _dense(evidence)
    yield from _in_order(evidence.stored, "the database")
    for client in evidence.clients:
        yield from _in_order(client.events, client.name)
        for earlier, later in itertools.pairwise(client.events):
            if later.id <= earlier.id:
                yield Violation("I4", f"{client.name} was told {later} behind {earlier}")


def _dense(evidence: Evidence) -> Iterator[Violation]:
    sessions: dict[tuple[str, int], list[Told]] = collections.defaultdict(list)
    for event in sorted(evidence.stored, key=lambda event: event.id):
        if event.session_id is not None and event.seq is not None:
            sessions[event.session_id, evidence.epoch_of(event.id)].append(event)
    lost: dict[tuple[str, int], set[int]] = collections.defaultdict(set)
    for event_id in evidence.excused:
        told = evidence.emitted.get(event_id)
        if told is not None and told.session_id is not None and told.seq is not None:
            lost[told.session_id, evidence.epoch_of(event_id)].add(told.seq)
    for place, told_here in sessions.items():
        found = [event.seq for event in told_here]
        expected = sorted({*(s for s in found if s is not None), *lost[place]})
        holes = sorted(set(range(1, expected[-1] + 1)) - set(expected))
        if holes:
            yield Violation("I4", f"session {place[0]} has no events number {holes[:20]} of {expected[-1]}")
        if sorted(set(found), key=lambda seq: seq or 0) != found:
            wrong = next(b for a, b in itertools.pairwise(told_here) if (b.seq or 0) <= (a.seq or 0))
            yield Violation("I4", f"session {place[0]} is numbered out of order at {wrong}")


def _in_order(events: Iterable[Told], where: str) -> Iterator[Violation]:
    reached: dict[str, Told] = {}
    for event in sorted(events, key=lambda event: event.id):
        if event.span_id is None or event.event_type == "error" or event.status is None or event.mark:
            continue
        before = reached.get(event.span_id)
        rank = _ORDER[event.status]
        if before is not None and (rank == 0 or rank < _ORDER[str(before.status)] or before.ends):
            yield Violation("I4", f"{where} has {event} behind {before}")
        reached[event.span_id] = event


def nothing_leaks(evidence: Evidence) -> Iterator[Violation]:
    """I8: files, threads and memory of every process are back where they were, within a tenth."""
    allowed: dict[str, Sample] = {}
    for sample in evidence.before:
        known = allowed.setdefault(sample.name, sample)
        allowed[sample.name] = Sample(
            sample.name,
            max(known.memory_bytes, sample.memory_bytes),
            max(known.threads, sample.threads),
            max(known.files, sample.files),
        )
    for now in evidence.after:
        was = allowed.get(now.name)
        if was is None:
            continue
        files, threads = _ROOM.get(now.name, (_FILES, _THREADS))
        for what, had, has, room in (
            ("files", was.files, now.files, files),
            ("threads", was.threads, now.threads, threads),
            ("bytes of memory", was.memory_bytes, now.memory_bytes, _MEMORY_BYTES),
        ):
            if has > had * _SHARE + room:
                yield Violation("I8", f"{now.name} had {had} {what} and has {has}")


def dead_letters_are_poison(evidence: Evidence) -> Iterator[Violation]:
    """I9: what was put with the dead letters is the injected poison, all of it and nothing else."""
    for entry_id in sorted(set(evidence.dead_letters) - set(evidence.poison)):
        yield Violation("I9", f"entry {entry_id} was buried and is no poison")
    for entry_id in sorted(set(evidence.poison) - set(evidence.dead_letters) - evidence.excused_entries):
        yield Violation("I9", f"entry {entry_id} is poison and was not buried")
