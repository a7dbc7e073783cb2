"""A state machine that drives runs through the bus in any order, with a model of what must be true after each step."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.bus import Bus, QueueIs, keys
from pipeline.bus.bus import new_token
from pipeline.bus.log import Entry
from pipeline.errors import FenceLost, StageRefused
from pipeline.event import Category, Identity, Priority, State, Status
from tests.pipeline.driven import span_name
from tests.pipeline.modelled import PLAN, ModelledRun, SessionReader

SESSIONS = ("s-1", "s-2")
RUNS_LIMIT = 5
PICK = st.integers(0, 11)
"""Which of what there is to choose from."""


class Machine(RuleBasedStateMachine):
    """Several runs, their workers, a watchdog, a recorder and a client, one step at a time."""

    def __init__(self, bus: Bus, raw: redis.Redis) -> None:
        super().__init__()
        self.bus, self.raw = bus, raw
        self.runs: list[ModelledRun] = []
        self.copies: list[tuple[ModelledRun, str]] = []
        """Messages that were delivered once: (run, stage)."""
        self.zombies: list[tuple[ModelledRun, str, str]] = []
        """Tokens that were given: (run, stage, token)."""
        self.emitted: dict[str, int] = {}
        self.unacked: list[Entry] = []
        self.stored: set[int] = set()
        self.acked: set[int] = set()
        self.client: list[int] = []

    @initialize(stages=st.integers(0, 3))
    def start(self, stages: int) -> None:
        """An empty server, and one message that has come so far."""
        self.raw.flushall()
        self.bus.log.join()
        self.epoch = self.bus.lift(0, None)
        self.readers = {name: SessionReader(self.bus, name) for name in SESSIONS}
        self.submit(0)
        for _ in range(stages):
            self.deliver(0, again=False)
            self.end(0, again=False)
        self.deliver(0, again=False)

    def _live(self, state: str = "") -> list[ModelledRun]:
        return [run for run in self.runs if run.live and state in {"", run.state}]

    # Accepting and delivering

    @precondition(lambda self: len(self.runs) < RUNS_LIMIT)
    @rule(pick=PICK)
    def submit(self, pick: int) -> None:
        """A message is accepted; asked again it is the same run."""
        run = ModelledRun(self.bus, SESSIONS[pick % 2])
        assert run.driven.submit(message=run.message)
        assert not run.driven.submit(message=run.message)
        self.runs.append(run)

    @rule(pick=PICK, again=st.booleans())
    def deliver(self, pick: int, again: bool) -> None:
        """A worker takes the oldest message of a queue; `again`: it says so twice, since the reply was lost."""
        waiting = [stage for stage in PLAN if self.raw.llen(f"q:{stage}")]
        if waiting:
            stage = waiting[pick % len(waiting)]
            message = self.raw.rpop(f"q:{stage}")
            run = next(run for run in self.runs if run.message == message)
            self.copies.append((run, stage))
            self._begin(run, stage, again)

    @rule(pick=PICK)
    def work(self, pick: int) -> None:
        """A stage is done without trouble."""
        self.deliver(pick, again=False)
        if self._live("running"):
            self.end(pick, again=False)

    @precondition(lambda self: self.copies)
    @rule(pick=PICK)
    def deliver_a_copy(self, pick: int) -> None:
        """The broker gives a message that it has given before."""
        self._begin(*self.copies[pick % len(self.copies)], again=False)

    def _begin(self, run: ModelledRun, stage: str, again: bool) -> None:
        token, holder = new_token(), f"node/{len(self.zombies) + 1}"
        if not (run.live and run.state == "queued" and run.stage == stage):
            with pytest.raises(StageRefused):
                run.driven.begin(stage, *PLAN[stage].opens, token=token, holder=holder)
            return
        begun = run.driven.begin(stage, *PLAN[stage].opens, token=token, holder=holder)
        run.begun(token, holder)
        self.zombies.append((run, stage, token))
        assert begun.tries == run.tries
        if again:
            repeated = run.driven.begin(stage, *PLAN[stage].opens, token=token, holder=holder)
            assert (repeated.tries, repeated.starts) == (begun.tries, begun.starts)

    # The work of the holder

    @precondition(lambda self: self._live("running"))
    @rule(pick=PICK, again=st.booleans())
    def end(self, pick: int, again: bool) -> None:
        """A stage ends; `again`: its reply was lost."""
        run = self._live("running")[pick % len(self._live("running"))]
        stage, token = run.stage, run.token
        closed = self._end(run, stage, token)
        assert closed == [span_name(short) for short in run.ended()]
        if again:
            assert self._end(run, stage, token) == []

    def _end(self, run: ModelledRun, stage: str, token: str) -> list[str]:
        plan = PLAN[stage]
        closed = run.driven.end(stage, *plan.closes, to=plan.then, message=run.message, token=token)
        return [one.name for one in closed]

    @precondition(lambda self: self._live("running"))
    @rule(pick=PICK)
    def close(self, pick: int) -> None:
        """A parallel child is ready before its stage."""
        run = self._live("running")[pick % len(self._live("running"))]
        short = run.closable()
        if short is not None:
            assert run.driven.close(short, token=run.token) is not None
            run.closed(short)
            assert run.driven.close(short, token=run.token) is None

    @precondition(lambda self: self._live("running"))
    @rule(pick=PICK)
    def progress(self, pick: int) -> None:
        """Progress and a piece of the answer, and the lease renewed."""
        run = self._live("running")[pick % len(self._live("running"))]
        for short in run.open[-1:]:
            assert run.driven.progress(short, token=run.token)
            run.expected.append(short + "~")
        assert self.bus.chunk(*run.driven.ids, run.token, run.tries, 0, "piece")
        assert self.bus.renew(run.driven.message_id, run.token)

    @precondition(lambda self: self._live("running"))
    @rule(pick=PICK, by=st.sampled_from(["token", "holder"]))
    def give_back(self, pick: int, by: str) -> None:
        """A transient fault, or the holder is killed and its closer speaks; the last try ends the run."""
        run = self._live("running")[pick % len(self._live("running"))]
        who = (by, run.token if by == "token" else run.holder)
        told = run.driven.release(run.stage, who, message=run.message)
        if run.tries < self.bus.settings.stage_tries_limit:
            assert told == run.tries + 1
            run.given_back()
        else:
            assert told is None
            run.driven.fail(run.stage, who)
            run.failed("failed")

    @precondition(lambda self: self._live())
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        """The user stops the answer; the second time it has ended."""
        run = self._live()[pick % len(self._live())]
        run.driven.fail("", ("any", ""), "cancelled", "cancelled")
        run.failed("cancelled")
        with pytest.raises(FenceLost):
            run.driven.fail("", ("any", ""), "cancelled", "cancelled")

    # Those who come too late

    @precondition(lambda self: self._late())
    @rule(pick=PICK)
    def zombie(self, pick: int) -> None:
        """A worker that slept goes on with its token, which does not hold the stage any more."""
        late = self._late()
        run, stage, token = late[pick % len(late)]
        short = PLAN[stage].opens[0]
        again = run.live and run.stage == stage and run.released_token == token
        deeds: list[tuple[bool, Callable[[], object]]] = [
            (run.ended_token == token, lambda: self._end(run, stage, token)),
            (again, lambda: run.driven.release(stage, ("token", token), message=run.message)),
            (False, lambda: run.driven.close(short, token=token)),
            (False, lambda: run.driven.fail(stage, ("token", token))),
            (True, lambda: run.driven.progress(short, token=token)),
            (True, lambda: self.bus.chunk(*run.driven.ids, token, 1, 0, "late")),
            (True, lambda: self.bus.renew(run.driven.message_id, token)),
        ]
        for is_told_nothing, deed in deeds:
            if is_told_nothing:
                assert not deed()
            else:
                with pytest.raises(FenceLost):
                    deed()

    def _late(self) -> list[tuple[ModelledRun, str, str]]:
        """Tokens that hold nothing; where there are some, those of a stage that is not done yet."""
        late = [(run, stage, token) for run, stage, token in self.zombies if run.token != token]
        return [(run, stage, token) for run, stage, token in late if run.live and run.stage == stage] or late

    # The watchdog

    @precondition(lambda self: self._live())
    @rule(pick=PICK, lost=st.booleans())
    def watch(self, pick: int, lost: bool) -> None:
        """A run's time has come (its lease ran out, or its message was `lost`), and the watchdog looks."""
        run = self._live()[pick % len(self._live())]
        if lost:
            self.raw.lrem(f"q:{run.stage}", 0, run.message.decode())
        self.raw.zadd(keys.DUE, {run.driven.message_id: 0})
        assert self.bus.due(10) == [run.driven.message_id]
        word = self._resume(run)
        if run.state == "running" and run.tries < self.bus.settings.stage_tries_limit:
            assert word == "resumed"
            run.given_back()
        elif word == "exhausted" or run.state == "running":
            assert word == "exhausted"
            run.driven.fail(run.stage, ("any", ""), "worker_lost")
            run.failed("failed")
        else:
            assert word in {"waits", "sent"}
        assert self._resume(run) in {"early", "gone"}

    def _resume(self, run: ModelledRun) -> str:
        state = State(Status.PROGRESS, "again", {"retry": True}, reason="worker_lost", error_type="LeaseExpired")
        queue = f"q:{run.stage}"
        return self.bus.resume(*run.driven.ids, run.stage, state, queue, run.message, QueueIs.HERE)

    # Events beside the stages, the recorder, a client

    @rule(pick=PICK)
    def emit(self, pick: int) -> None:
        """Something emits an event; with a key that was used before it is the same one."""
        identity = Identity("custom.thing", Category.AUDIT, Priority.NORMAL, SESSIONS[pick % 2])
        given = self.bus.append(identity, State(Status.PROGRESS, str(pick)), f"key-{pick}")
        assert given == self.emitted.setdefault(str(pick), given)

    @rule(pick=PICK)
    def record(self, pick: int) -> None:
        """The recorder stores what it is given, and does not yet say so."""
        entries = self.bus.log.read_new("recorder", pick + 1, 0)
        self.unacked += entries
        self.stored |= {_id(entry) for entry in entries}

    @precondition(lambda self: self.unacked)
    @rule()
    def acknowledge(self) -> None:
        """It says what it has stored."""
        self.bus.lift(max(self.stored), self.epoch)
        self.bus.log.acknowledge(self.unacked)
        self.acked |= {_id(entry) for entry in self.unacked}
        self.unacked = []

    @precondition(lambda self: self.unacked)
    @rule()
    def recorder_dies(self) -> None:
        """It is killed before it could; another one is given the same."""
        claimed = self.bus.log.claim("another", 0, 1_000)
        assert {_id(entry) for entry in claimed} >= {_id(entry) for entry in self.unacked}
        self.unacked = claimed

    @rule()
    def trim(self) -> None:
        """What is stored leaves the log."""
        self.bus.log.trim()

    @rule(limit=PICK)
    def client_reads(self, limit: int) -> None:
        """A client comes back with the newest id that it knows."""
        after = self.client[-1] if self.client else 0
        page = self.bus.session_events(SESSIONS[0], after, 2**53 - 1, limit + 1)
        self.client += [event.id for event in page]

    # What must be true

    @invariant()
    def each_run_is_as_it_should_be(self) -> None:
        """State, holder, open spans, events and outcome, one by one; and what is looked after."""
        for reader in self.readers.values():
            reader.read()
        for run in self.runs:
            run.check(self.readers[run.driven.session_id])
        due = {member.decode() for member in self.raw.zrange(keys.DUE, 0, -1)}
        assert due == {run.driven.message_id for run in self._live()}

    @invariant()
    def nothing_is_lost(self) -> None:
        """What is not acknowledged is in the log, and nobody believes that Redis went back."""
        told = {event_id for reader in self.readers.values() for event_id in reader.ids}
        entries: list[tuple[bytes, object]] = self.raw.xrange(keys.LOG)
        logged = {int(entry_id.partition(b"-")[0]) for entry_id, _ in entries}
        assert told - self.acked <= logged
        assert len(told) == sum(len(reader.ids) for reader in self.readers.values())
        assert self.bus.lift(max(self.stored, default=0), self.epoch) == self.epoch
        assert self.client == self.readers[SESSIONS[0]].ids[: len(self.client)]


def _id(entry: Entry) -> int:
    return int(entry.entry_id.partition("-")[0])
