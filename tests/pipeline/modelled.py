"""What the state machine believes of a run and of a session, and how that is compared with Redis."""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson

from pipeline.bus import Bus
from tests.pipeline.driven import NEWEST, SIGNS, DrivenRun, span_name

_FIELDS = ("st", "cur", "state", "tok", "tries", "open")


@dataclasses.dataclass(frozen=True)
class Plan:
    """A stage: the spans that it opens and closes, and what follows it."""

    opens: tuple[str, ...]
    closes: tuple[str, ...]
    then: str = ""


PLAN = {
    "receive": Plan(("R",), ("R",), "think"),
    "think": Plan(("T",), (), "search"),
    "search": Plan(("S(a)", "S(b)"), ("S(a)", "S(b)", "T"), "save"),
    "save": Plan(("V",), ("V",)),
}


class ModelledRun:
    """One run as it should be; `expected` are its events, as `R[` or `T~`."""

    def __init__(self, bus: Bus, session_id: str) -> None:
        self.driven = DrivenRun(bus, session_id)
        self.message = self.driven.message_id.encode()
        self.stage, self.state, self.status = "receive", "queued", "live"
        self.token = self.holder = self.ended_token = self.released_token = ""
        self.tries = 0
        self.open: list[str] = []
        self.expected: list[str] = []
        self._known: set[str] = set()

    @property
    def live(self) -> bool:
        """Whether it has no outcome yet."""
        return self.status == "live"

    def begun(self, token: str, holder: str) -> None:
        """A worker took its stage; spans that an earlier try opened are not opened again."""
        self.state, self.token, self.holder = "running", token, holder
        self.tries += 1
        for short in PLAN[self.stage].opens:
            if short not in self._known:
                self._known.add(short)
                self.open.append(short)
                self.expected.append(short + "[")

    def closable(self) -> str | None:
        """A span of the stage that may be closed before its end."""
        return next((short for short in self.open if short in PLAN[self.stage].opens), None)

    def closed(self, short: str) -> None:
        """A span was completed."""
        self.open.remove(short)
        self.expected.append(short + "]")

    def ended(self) -> list[str]:
        """The stage was completed. Gives the spans that this closed."""
        plan = PLAN[self.stage]
        closed = [short for short in plan.closes if short in self.open]
        for short in closed:
            self.closed(short)
        self.ended_token, self.token = self.token, ""
        if plan.then:
            self.stage, self.state, self.tries, self.holder = plan.then, "queued", 0, ""
        else:
            self.status, self.state = "completed", "ended"
        return closed

    def given_back(self) -> None:
        """The stage waits for its next try, which its own open spans tell, or else the innermost open one."""
        own = [short for short in self.open if short in PLAN[self.stage].opens]
        self.expected += [short + "~" for short in own or self.open[-1:]]
        self.released_token, self.token, self.holder, self.state = self.token, "", "", "queued"

    def failed(self, status: str) -> None:
        """The run has ended otherwise: what was open fails, children first, then comes the error."""
        self.expected += [short + "!" for short in self.open[::-1]] + ["E!"]
        self.open, self.token, self.holder = [], "", ""
        self.status, self.state = status, "ended"

    def check(self, reader: SessionReader) -> None:
        """Compares the run with Redis and with what its session has told."""
        found = [(value or b"").decode() for value in self.driven.bus.run_fields(self.driven.message_id, _FIELDS)]
        opened = "\n".join(span_name(short) for short in self.open)
        assert found == [self.status, self.stage, self.state, self.token, str(self.tries), opened]
        shorts = {self.driven.identity(short).span_id: short for short in ("R", "T", "S(a)", "S(b)", "V", "E")}
        told = [shorts[span_id] + sign for span_id, sign in reader.told.get(self.driven.message_id, [])]
        assert told == self.expected


class SessionReader:
    """Reads a session's events as they come and checks what must be true of any."""

    def __init__(self, bus: Bus, session_id: str) -> None:
        self._bus, self._session_id = bus, session_id
        self.ids: list[int] = []
        self.told: dict[str, list[tuple[str, str]]] = {}
        """(span id, sign) by message."""
        self._parents: dict[str, str] = {}
        """The spans that are open, with the span that each lies under."""
        self._ended: set[str] = set()
        self._finished: set[str] = set()
        """The messages whose error was told."""

    def read(self) -> None:
        """Reads on; numbers are dense, ids rise, and each span keeps its order."""
        for event in self._bus.session_events(self._session_id, self.ids[-1] if self.ids else 0, NEWEST, 10_000):
            assert event.seq == len(self.ids) + 1
            assert not self.ids or event.id > self.ids[-1]
            self.ids.append(event.id)
            fields = orjson.loads(event.wire)
            if fields["message_id"] is not None:
                self._check(fields)

    def _check(self, fields: dict[str, Any]) -> None:
        told = self.told.setdefault(fields["message_id"], [])
        span, status, is_error = fields["span_id"], fields["event_status"], fields["event_type"] == "error"
        assert fields["message_id"] not in self._finished
        if status == "started":
            assert span not in self._parents
            assert span not in self._ended
            self._parents[span] = fields["parent_span_id"]
        elif not is_error:
            assert span in self._parents, f"{status} of a span that is not open"
            if status in {"completed", "failed"}:
                del self._parents[span]
                self._ended.add(span)
                assert span not in self._parents.values(), "a child outlived its parent"
        told.append((span, SIGNS[status]))
        if is_error:
            self._finished.add(fields["message_id"])
            own = {told_span for told_span, _ in told} - {span}
            assert not own & set(self._parents), "a span outlived its run"
