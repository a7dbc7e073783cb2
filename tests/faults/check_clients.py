"""What must be true of clients: each saw everything once (I5), and nothing spins for ever (I6)."""

from __future__ import annotations

import collections
from collections.abc import Iterator

from tests.faults.journal import ClientLog, Evidence, Told
from tests.faults.violation import Violation

_SHOWN = 5


def every_client_saw_everything(evidence: Evidence) -> Iterator[Violation]:
    """I5: a client's log is the session's stored list behind its cursor: each once, in order, no gap."""
    sessions: dict[str, list[Told]] = collections.defaultdict(list)
    for event in sorted(evidence.stored, key=lambda event: event.id):
        if event.session_id is not None and event.seq is not None:
            sessions[event.session_id].append(event)
    for client in evidence.clients:
        yield from _compare(client, sessions[client.session_id], evidence)
        if client.resets and not evidence.flushes:
            yield Violation("I5", f"{client.name} was told to reset ({client.resets}), and Redis had lost nothing")


def _compare(client: ClientLog, session: list[Told], evidence: Evidence) -> Iterator[Violation]:
    got = [event.id for event in client.events]
    upto = client.upto
    expected = [
        e.id for e in session if e.id > client.after and (client.resumes or (upto is not None and e.id <= upto))
    ]
    counts = collections.Counter(got)
    twice = [event_id for event_id, count in counts.items() if count > 1]
    if twice:
        yield Violation("I5", f"{client.name} was told twice: {twice[:_SHOWN]}")
    by_id = {event.id: event for event in session}
    # What lay in the log when Redis was emptied may be stored later, when the client has begun anew without it.
    missing = [event_id for event_id in expected if event_id not in counts and event_id not in evidence.excused]
    if missing:
        shown = "; ".join(str(by_id[event_id]) for event_id in missing[:_SHOWN])
        yield Violation("I5", f"{client.name} ({client.session_id}) missed {len(missing)}: {shown}")
    strange = [event_id for event_id in counts if event_id not in by_id and event_id not in evidence.excused]
    if strange:
        yield Violation("I5", f"{client.name} was told what is not stored: {strange[:_SHOWN]}")


def no_open_spinner(evidence: Evidence) -> Iterator[Violation]:
    """I6: for every client that came back, the last word on each stage is its ending."""
    # The ending itself may have been lost on purpose.
    lost = {evidence.emitted[event_id].span_id for event_id in evidence.excused if event_id in evidence.emitted}
    for client in evidence.clients:
        if not client.resumes:
            continue
        open_spans: dict[str, Told] = {}
        for event in client.events:
            if event.span_id is None or event.event_type == "error" or event.mark:
                continue
            if event.ends:
                open_spans.pop(event.span_id, None)
            else:
                open_spans[event.span_id] = event
        for event in open_spans.values():
            if event.span_id not in lost:
                yield Violation("I6", f"{client.name} still sees {event}")
