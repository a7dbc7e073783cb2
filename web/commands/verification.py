"""Verifying what is recorded: the database and what is in the log and not stored yet, judged beside a running system.

What runs now must not be accused. So all events up to one moment are judged first; then the runs behind what is open
are asked whether they live; then the events since. A run that had ended by then has told all it ever will.
"""

from __future__ import annotations

import dataclasses
import datetime
import heapq
from collections.abc import Iterator

from pipeline.bus import Bus
from pipeline.errors import InvalidEvent
from pipeline.settings import Settings
from pipeline.store import Store, conversations, scan
from pipeline.store.moments import id_at, timestamp_text
from pipeline.store.retention import cutoff_id, hours_by_category
from pipeline.store.scan import Suspect
from pipeline.verify import Finding, Kind, Told, Verifier

_LOG_PAGE_ENTRIES = 2_000
_UNSENT_GRACES = 10
"""A message without a run is sent again by the watchdog after one grace; after ten it was not."""


@dataclasses.dataclass(frozen=True)
class Scope:
    """What is verified: one session or all, events since a moment or all that are kept."""

    session_id: str | None = None
    since: datetime.datetime | None = None


class Verification:
    """One look at everything. After `findings` has been read to its end, `lost` holds what can be closed."""

    def __init__(self, settings: Settings, bus: Bus, store: Store, scope: Scope) -> None:
        self._bus = bus
        self._store = store
        self._scope = scope
        self._now = datetime.datetime.now(datetime.UTC)
        self._grace = datetime.timedelta(seconds=settings.queue_grace_seconds * _UNSENT_GRACES)
        epoch, self._upto = bus.clock()
        kept_from = cutoff_id(min(hours_by_category(settings).values()), self._now)
        self.verifier = Verifier(int(epoch) if epoch.isdigit() else 0, kept_from)
        self.lost: dict[str, list[Told]] = {}
        """Messages whose run is lost, each with the starts of its open spans, oldest first."""

    def findings(self) -> Iterator[Finding]:
        """Everything that is wrong. Raises BusUnavailable or StoreUnavailable."""
        after = 0 if self._scope.since is None else id_at(self._scope.since)
        yield from self._judge(after, self._upto)
        suspects = list(scan.suspects(self._store, self._now - self._grace, self._scope.since, self._scope.session_id))
        unanswered = [s for s in suspects if s.status == "accepted"]
        ended = self._without_run({s.message_id for s in unanswered})
        ended |= self._without_run({message_id for message_id, _ in self.verifier.open if message_id is not None})
        _, newest = self._bus.clock()
        yield from self._judge(self._upto, newest)
        yield from self._open(ended)
        yield from self._unanswered(s for s in unanswered if s.message_id in ended)
        yield from (_wrongly_answered(s) for s in suspects if s.status != "accepted")

    def _judge(self, after: int, upto: int) -> Iterator[Finding]:
        for event in recorded(self._bus, self._store, after, upto, self._scope.session_id):
            yield from self.verifier.feed(event)

    def _without_run(self, message_ids: set[str]) -> set[str]:
        return {message_id for message_id in message_ids if self._bus.run_state(message_id).status != "live"}

    def _open(self, ended: set[str]) -> Iterator[Finding]:
        for (message_id, _), start in self.verifier.open.items():
            if message_id is not None and message_id in ended:
                self.lost.setdefault(message_id, []).append(start)
                text = f"{start.event_type} started {timestamp_text(start.id)} and never ended; its run is gone"
                yield Finding(Kind.OPEN, start.session_id, message_id, start.id, text)

    def _unanswered(self, suspects: Iterator[Suspect]) -> Iterator[Finding]:
        for suspect in suspects:
            message = conversations.find_message(self._store, suspect.message_id)
            if message is None or message.status != "accepted" or self.verifier.has_ended(suspect.message_id):
                continue
            self.lost.setdefault(suspect.message_id, [])
            text = "the message was accepted and has no ending; it has no run"
            yield Finding(Kind.NO_ENDING, suspect.session_id, suspect.message_id, 0, text)


def _wrongly_answered(suspect: Suspect) -> Finding:
    kind = Kind.TWO_ANSWERS if suspect.answers else Kind.NO_ANSWER
    text = f"the message is completed with {suspect.answers or 'no'} answer{'s' if suspect.answers else ''}"
    return Finding(kind, suspect.session_id, suspect.message_id, 0, text)


def recorded(
    bus: Bus, store: Store, after: int, upto: int, session_id: str | None = None, page_entries: int = _LOG_PAGE_ENTRIES
) -> Iterator[Told]:
    """Every event behind `after` up to `upto`, in order of id: what is stored, and what is in the log alone.

    The log is read before the database: an event that was not in the log any more had been stored.
    """
    while after < upto:
        entries = bus.log.read_log(after, upto + 1, page_entries)
        full = len(entries) == page_entries
        end = int(entries[-1].entry_id.partition("-")[0]) if full else upto
        unstored = _told(entry.wire for entry in entries if entry.wire is not None)
        held = (event for event in unstored if session_id is None or event.session_id == session_id)
        stored = scan.told(store, after, end, session_id)
        last = 0
        for event in heapq.merge(stored, held, key=lambda told: told.id):
            if event.id != last:
                yield event
            last = event.id
        after = end


def _told(wires: Iterator[bytes]) -> Iterator[Told]:
    for wire in wires:
        try:
            yield Told.from_wire(wire)
        except InvalidEvent:
            # The recorder will put it with the dead letters; its number will be missing.
            continue
