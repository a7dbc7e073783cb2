"""An emit as an object: sent at once by the bus, or written down in the spool and sent late, with its time told."""

from __future__ import annotations

import dataclasses
import datetime
import logging
from typing import Any

import orjson

from pipeline import catalog, redaction
from pipeline.bus import Bus
from pipeline.context import span_id_of
from pipeline.errors import InvalidEvent
from pipeline.event import Category, Identity, Priority, Reason, State, Status, encode
from pipeline.redaction import Redactor
from pipeline.spool_lines import PROGRESS, Entry, Losses

logger = logging.getLogger(__name__)
EMITTED_AT = "emitted_at"
"""In the metadata of an event that was sent late: when it happened. Its id and timestamp say when it was written."""


@dataclasses.dataclass
class Append:
    """The arguments of `Bus.append`."""

    identity: Identity
    state: State
    emitter_key: str
    audience: str = "user"
    took_ms: int | None = None
    ordinary_span: tuple[str, str] | None = None
    failed_text: str | None = None

    @property
    def word(self) -> str:
        """By what it is counted when it is lost."""
        return PROGRESS if self.state.event_status is Status.PROGRESS else str(self.identity.category)

    def check(self) -> None:
        """Raises InvalidEvent as the bus would."""
        self.identity.fragment()
        self.state.fragment()

    def send(self, bus: Bus) -> int | None:
        """Its id. Raises BusUnavailable, BusRefused, InvalidEvent."""
        return bus.append(
            self.identity,
            self.state,
            self.emitter_key,
            self.audience,
            self.took_ms,
            self.ordinary_span,
            self.failed_text,
        )

    def cut_off(self) -> Append:
        """The end of the ordinary span that this one opens, for a process that has died."""
        reason = str(Reason.WORKER_LOST)
        state = State(Status.FAILED, self.failed_text, None, None, reason, reason, self.state.task_id)
        key = f"{self.identity.span_id}:end"
        return dataclasses.replace(self, state=state, emitter_key=key)


@dataclasses.dataclass
class Progress:
    """The arguments of `Bus.progress`."""

    session_id: str
    message_id: str
    token: str
    span: str
    state: State
    word: str = PROGRESS

    def check(self) -> None:
        """Raises InvalidEvent as the bus would."""
        self.state.fragment()

    def send(self, bus: Bus) -> int | None:
        """Its id, None when it is refused. Raises BusUnavailable, BusRefused, InvalidEvent."""
        return bus.progress(self.session_id, self.message_id, self.token, self.span, self.state)


Emit = Append | Progress


def packed(emit: Emit, at_us: int, tried: bool, after: int, redactor: Redactor = redaction.DEFAULT) -> Entry:
    """The emit as the spool keeps it, redacted: a file is outside of the process, too.

    `tried`: a call has timed out, so it may have been written; then its id lies behind `after`.
    """
    fields = {**vars(emit), "state": vars(emit.state.redacted(redactor))}
    if isinstance(emit, Append):
        fields["identity"] = {**vars(emit.identity), "source_system": redactor.text(emit.identity.source_system)}
        fields["failed_text"] = None if emit.failed_text is None else redactor.text(emit.failed_text)
    return Entry(emit.word, at_us, encode({"emit": fields, "tried": tried, "after": after}))


@dataclasses.dataclass
class Late:
    """An emit out of the spool."""

    emit: Emit
    at_us: int
    tried: bool
    after: int

    @classmethod
    def unpacked(cls, entry: Entry) -> Late:
        """What `packed` wrote down. Raises InvalidEvent for what is no emit."""
        try:
            data = orjson.loads(entry.body)
            fields = data["emit"]
            fields["state"] = _state(fields["state"])
            emit: Emit
            if "identity" in fields:
                fields["identity"] = _identity(fields["identity"])
                fields["ordinary_span"] = tuple(fields["ordinary_span"]) if fields["ordinary_span"] else None
                emit = Append(**fields)
            else:
                emit = Progress(**fields)
            return cls(emit, entry.at_us, bool(data["tried"]), int(data["after"]))
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidEvent(f"not an emit: {type(error).__name__}") from None

    def dated(self) -> Emit:
        """The emit with its time in the metadata."""
        metadata = {**(self.emit.state.metadata or {}), EMITTED_AT: written_time(self.at_us)}
        return dataclasses.replace(self.emit, state=dataclasses.replace(self.emit.state, metadata=metadata))

    def told_as(self, bus: Bus) -> int | None:
        """The id of the event if it stands in its session's feed: an answer may have been lost. None if it does not.

        The script of `progress` knows no emitter key; that of `append` does, and drops a repeat by itself.
        Raises BusUnavailable.
        """
        emit = self.emit
        if not isinstance(emit, Progress):
            return None
        tries = bus.run_fields(emit.message_id, ["tries"])[0] or b"0"
        marks = (b'"span_id":"%s"' % span_id_of(emit.message_id, emit.span).encode(), b'"attempt":%s,' % tries)
        # The first try went without a date; a later one is the only event with its own.
        dated = self.dated().state.fragment(bus.redactor)
        said = [b"," + dated + b"}"] + ([b"," + emit.state.fragment(bus.redactor) + b"}"] if self.tried else [])
        clock = bus.clock()[1]
        found = bus.session_events(emit.session_id, self.after, clock, 2 * bus.settings.session_stream_limit_events)
        for event in found:
            if all(mark in event.wire for mark in marks) and event.wire.endswith(tuple(said)):
                return event.id
        return None


def _state(fields: dict[str, Any]) -> State:
    status = fields.pop("event_status")
    return State(None if status is None else Status(status), **fields)


def _identity(fields: dict[str, Any]) -> Identity:
    category, priority = Category(fields.pop("category")), Priority(fields.pop("priority"))
    return Identity(category=category, priority=priority, **fields)


def gap(losses: Losses, spool: str) -> Append:
    """The event that tells operators what the spool has lost."""
    kind = catalog.lookup(catalog.GAP_TYPE)
    since, until = written_time(losses.since_us), written_time(losses.until_us)
    data = {"lost": losses.total, "since": since, "until": until, "by": losses.counts, "spool": spool}
    return Append(
        Identity(kind.name, kind.category, kind.priority),
        State(
            Status.FAILED,
            catalog.user_message(kind.name, Status.FAILED, "en", data),
            data,
            reason=str(Reason.ERROR),
            error_type="SpoolFull",
        ),
        f"gap:{spool}:{losses.since_us}:{losses.until_us}:{losses.total}",
        audience=str(kind.audience),
    )


def written_time(at_us: int) -> str:
    """Unix microseconds as events write a time."""
    moment = datetime.datetime.fromtimestamp(at_us // 1_000_000, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_us % 1_000_000:06d}Z"
