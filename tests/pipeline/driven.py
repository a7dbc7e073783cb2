"""A run driven by hand through the bus, as its stages would, and its events written as a transcript.

Spans are named as in the transcripts: R, H, T, S(collection), G, V.
"""

from __future__ import annotations

import uuid
from typing import Any

import orjson

from pipeline import catalog
from pipeline.bus import Begun, Bus, Closed, Closing, SpanStart
from pipeline.bus.bus import new_token
from pipeline.context import span_id_of
from pipeline.event import Event, Identity, State, Status

TYPES = {
    "R": "message_received",
    "H": "loading_history",
    "T": "agent_thinking",
    "S": "tool_search_documents",
    "G": "response_generation",
    "V": "saving_message",
}
PARENTS = {"H": "R", "S": "T"}
SIGNS = {"started": "[", "progress": "~", "completed": "]", "failed": "!"}
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
ROOT_SPAN_ID = "b7ad6b7169203331"
NEWEST = 2**53 - 1
"""An id that no event lies behind."""


def kept(bus: Bus, session_id: str = "s-1") -> list[Event]:
    """All events of the session's stream."""
    return bus.session_events(session_id, 0, NEWEST, 100_000)


def span_name(short: str) -> str:
    """`tool_search_documents/docs` for `S(docs)`."""
    letter, _, word = short.partition("(")
    return TYPES[letter] + ("/" + word.rstrip(")") if word else "")


class DrivenRun:
    """One run; `token` is that of the last begin."""

    def __init__(self, bus: Bus, session_id: str = "s-1", user_id: str | None = None) -> None:
        self.bus = bus
        self.session_id = session_id
        self.user_id = user_id
        self.message_id = str(uuid.uuid4())
        self.ids = (session_id, self.message_id)
        self.token = ""
        self._shorts: dict[str | None, str] = {}

    def identity(self, short: str) -> Identity:
        """What all events of a span share; `E` is the run's error event."""
        if short == "E":
            kind, span_id, parent_id = catalog.lookup("error"), span_id_of(self.message_id, "error"), ROOT_SPAN_ID
        else:
            kind, span_id = catalog.lookup(TYPES[short[0]]), span_id_of(self.message_id, span_name(short))
            parent = PARENTS.get(short[0])
            parent_id = span_id_of(self.message_id, TYPES[parent]) if parent else ROOT_SPAN_ID
        self._shorts[span_id] = short
        return Identity(
            kind.name,
            kind.category,
            kind.priority,
            *self.ids,
            user_id=self.user_id,
            correlation_id=self.message_id,
            trace_id=TRACE_ID,
            span_id=span_id,
            parent_span_id=parent_id,
        )

    def state(self, short: str, status: Status, data: dict[str, Any] | None = None, **more: Any) -> State:
        """The state of an event of a span, with the catalogue's text."""
        return State(status, catalog.user_message(TYPES[short[0]], status, "en", data), data, **more)

    def submit(self, first: str = "receive", queue: str = "q:receive", message: bytes = b"first") -> bool:
        """Makes the run."""
        return self.bus.submit(
            self.message_id, self.session_id, self.user_id, first, self.identity("E"), queue, message
        )

    def begin(
        self,
        stage: str,
        *shorts: str,
        token: str | None = None,
        holder: str = "node/1",
        fields: tuple[str, ...] = (),
    ) -> Begun:
        """Takes the stage with a new token, or the given one."""
        starts = [
            SpanStart(span_name(short), self.identity(short), self.state(short, Status.STARTED), f"failed {short}")
            for short in shorts
        ]
        mine = token or new_token()
        begun = self.bus.begin(*self.ids, stage, mine, holder, starts, fields)
        self.token = mine
        return begun

    def closing(self, short: str, status: Status = Status.COMPLETED, took_us: int | None = None) -> Closing:
        """A span's ending."""
        return Closing(span_name(short), status, self.state(short, status), took_us)

    def end(
        self, stage: str, *shorts: str, to: str = "", message: bytes = b"next", token: str = "", output: Any = None
    ) -> list[Closed]:
        """Ends the stage; hands over to `to` if there is one."""
        closings = [self.closing(short) for short in shorts]
        queue = f"q:{to}" if to else "none"
        mine = token or self.token
        return self.bus.end(*self.ids, stage, mine, closings, output, to, queue, message if to else b"")

    def stage(self, stage: str, *shorts: str, to: str = "", closes: tuple[str, ...] | None = None) -> None:
        """A stage that opens and closes its spans at once (`closes`: others than it opened)."""
        self.begin(stage, *shorts)
        self.end(stage, *(shorts if closes is None else closes), to=to)

    def close(
        self, short: str, status: Status = Status.COMPLETED, token: str = "", output: Any = None
    ) -> Closed | None:
        """Closes one span of the running stage."""
        return self.bus.close(*self.ids, token or self.token, self.closing(short, status), output)

    def progress(self, short: str, token: str = "", **data: Any) -> int | None:
        """Tells progress on an open span."""
        return self.bus.progress(
            *self.ids, token or self.token, span_name(short), self.state(short, Status.PROGRESS, data)
        )

    def release(
        self,
        stage: str,
        by: tuple[str, str] | None = None,
        reason: str = "retry",
        wait_ms: int = 0,
        message: bytes = b"",
    ) -> int | None:
        """Gives the stage back, by default with the own token."""
        state = State(Status.PROGRESS, "again", {"retry": True}, reason=reason, error_type="TransientFault")
        return self.bus.release(*self.ids, stage, by or ("token", self.token), state, wait_ms, f"q:{stage}", message)

    def fail(
        self, stage: str, by: tuple[str, str] | None = None, reason: str = "error", run_status: str = "failed"
    ) -> list[Closed]:
        """Ends the run as failed, by default with the own token."""
        state = State(Status.FAILED, None, {"error": reason}, reason=reason, error_type="Broken", task_id="task-1")
        error = State(Status.FAILED, "❌ sorry", {"error_message": "sorry"}, reason=reason, error_type="Broken")
        return self.bus.fail(*self.ids, stage, by or ("token", self.token), state, error, run_status)

    def events(self) -> list[dict[str, Any]]:
        """The run's events so far, as a client of the feed reads them."""
        wires = [event.wire for event in kept(self.bus, self.session_id)]
        return [event for event in map(orjson.loads, wires) if event["message_id"] == self.message_id]

    def transcript(self) -> str:
        """The run's events so far, as in `R[ R] T[ …`."""
        return " ".join(self._shorts[e["span_id"]] + SIGNS[e["event_status"]] for e in self.events())
