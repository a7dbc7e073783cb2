"""One run: the world, those who use it and those who watch it."""

from __future__ import annotations

import contextlib
import random
import threading
import time

from tests.faults.clients import Client, Passer, PollClient, SocketClient
from tests.faults.evidence import Database, all_recorded, sweep_streams
from tests.faults.journal import Evidence, Sample
from tests.faults.load import Emitter, Sender
from tests.faults.options import WORDS
from tests.faults.witness import Witness
from tests.faults.world import World

_SESSIONS = 8
_CLIENTS = 20
_SENDERS = 6
_LOOK_SECONDS = 0.3
_EMITTED = "faults-emitter"


class Run:
    """Everybody of one run. What faults need of the load and the clients is here, too."""

    def __init__(self, world: World) -> None:
        seed = world.options.seed
        self.world = world
        self.witness = Witness(world)
        self.database = Database(world)
        self.sessions = [f"faults-{seed}-{number}" for number in range(_SESSIONS)]
        followed = [*self.sessions, _EMITTED]
        self.clients: list[Client] = [
            (SocketClient if number % 5 < 3 else PollClient)(
                world, f"client-{number}", followed[number % len(followed)], seed
            )
            for number in range(_CLIENTS)
        ]
        self.passers: list[Passer] = []
        pause = _SENDERS / world.options.messages_per_second
        self.senders = [Sender(world, f"sender-{n}", self.sessions, pause, seed) for n in range(_SENDERS)]
        self.emitter = Emitter(world, _EMITTED, world.options.events_per_second)
        self.before: list[Sample] = []
        self.hostile: list[threading.Thread] = []

    def start(self) -> None:
        """Begins to read and to send, and waits until everything has worked once."""
        self.witness.start()
        for thread in (*self.clients, *self.senders, self.emitter):
            thread.start()
        deadline = time.monotonic() + 60
        while not any(message.status == "completed" for message in self.database.messages()):
            if time.monotonic() > deadline:
                raise RuntimeError(f"no message was answered before the first fault; logs are in {self.world.folder}")
            time.sleep(_LOOK_SECONDS)
        self.before = self.world.fleet.samples()

    def storm(self, count: int, rng: random.Random) -> None:
        """So many more clients connect at once, each with a cursor."""
        known = sorted(self.witness.seen)
        for number in range(count):
            after = rng.choice(known) if known and rng.random() < 0.7 else 0
            passer = Passer(
                self.world,
                f"passer-{len(self.passers)}-{number}",
                rng.choice(self.sessions),
                after,
                self.world.options.seed,
            )
            self.passers.append(passer)
            passer.start()

    def finish(self) -> float:
        """Stops the load, lets everything be finished, and returns how long that took, in seconds."""
        for sender in self.senders:
            sender.stop()
        self.emitter.stop()
        began = time.monotonic()
        deadline = began + self.world.options.deadline_seconds
        for thread in (*self.senders, self.emitter):
            thread.join(max(0.1, deadline - time.monotonic()))
        while (left := self._left()) and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        if left:
            self.world.notes.append(f"after {self.world.options.deadline_seconds:g} s {left}")
        took = time.monotonic() - began
        for client in (*self.clients, *self.passers):
            client.stop()
        for client in (*self.clients, *self.passers):
            client.join(10)
        self.witness.stop()
        with contextlib.suppress(OSError):
            sweep_streams(self.world, self.witness)
        return took

    def _left(self) -> str:
        """What is not finished yet, '' when everything is."""
        try:
            if count := self.database.unfinished():
                return f"{count} messages have no ending"
            if not all_recorded(self.world):
                return "the log is not recorded to its end"
            newest = self.database.newest()
        except Exception as error:
            return f"nobody can tell: {type(error).__name__}: {error}"
        behind = [client for client in self.clients if client.log.cursor < newest.get(client.log.session_id, 0)]
        return f"{behind[0].name} is behind" if behind else ""

    def evidence(self) -> Evidence:
        """What the checker looks at."""
        return Evidence(
            posts=[post for sender in self.senders for post in sender.posts],
            clients=[client.log for client in (*self.clients, *self.passers)],
            emitted=self.witness.seen,
            marks=self.emitter.marks,
            stored=self.database.events(),
            messages=self.database.messages(),
            dead_letters=self.database.dead_letters(),
            poison=self.world.poison,
            flushes=self.world.flushes,
            texts=frozenset({"".join(WORDS), "".join(WORDS).strip()}),
            before=self.before,
            after=self.world.fleet.samples(),
        )
