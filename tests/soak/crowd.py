"""All clients of a run, in one thread: each comes, stays, leaves and comes back, by whichever transport it likes."""

from __future__ import annotations

import asyncio
import collections
import random
import time
from collections.abc import Mapping, Sequence

from tests.soak.guest import TRANSPORTS, Guest, Manners
from tests.soak.judge import Held, owed
from tests.soak.life import Life
from tests.soak.options import Options

_FILTERS: tuple[tuple[tuple[str, str], ...], ...] = (
    (),
    (),
    (),
    (("event_type", "tool_*"),),
    (("event_status", "failed"), ("event_status", "progress")),
    (("event_type", "tool_*"), ("event_type", "agent_thinking"), ("event_status", "started")),
)
_REFUSED_SECONDS = 0.2
_FINAL_STAY_SECONDS = 5.0


class Crowd:
    """The clients, and the count of their joins."""

    def __init__(self, options: Options, port: int, sessions: Sequence[str]) -> None:
        self._options = options
        self._port = port
        self._dice = random.Random(options.seed)
        self._started_at = time.monotonic()
        self.lives = [self._born(number, sessions) for number in range(options.clients)]
        self.joins = 0
        self._gave_up = False
        self.by_transport: collections.Counter[str] = collections.Counter()
        self.failed: collections.Counter[str] = collections.Counter()
        """Joins that were refused, by status; `gone`: nobody answered."""

    def _born(self, number: int, sessions: Sequence[str]) -> Life:
        skip_at = self._options.skip_at if number == 0 else 0
        repeat_at = self._options.repeat_at if number == 1 else 0
        # Who lies wants everything, so that it comes to the event about which it lies.
        filters = () if number < 2 else self._dice.choice(_FILTERS)
        life = Life(number, sessions[number % len(sessions)], filters, skip_at, repeat_at)
        if number < 2 or self._dice.random() < 0.8:
            life.begin(0)
        return life

    def give_up(self) -> None:
        """Lets nobody come again."""
        self._gave_up = True

    def _joined(self, transport: str) -> None:
        self.joins += 1
        self.by_transport[transport] += 1

    async def wander(self) -> None:
        """Lets everybody come and go until there were enough joins."""
        await asyncio.gather(*(self._wander(life) for life in self.lives))

    async def _wander(self, life: Life) -> None:
        dice = random.Random(f"{self._options.seed}/{life.number}")
        await asyncio.sleep(dice.random())
        while self.joins < self._options.joins and not self._gave_up:
            # Whoever wants what is new only is told where that begins by a feed.
            transport = dice.choice(TRANSPORTS if life.since is not None else TRANSPORTS[:2])
            stay = dice.expovariate(1 / self._options.stay_seconds) * (10 if dice.random() < 0.02 else 1)
            manners = Manners(transport, stay, dice, self._joined, self._started_at)
            pause = 0.0 if await self._visit(life, manners) else _REFUSED_SECONDS
            await asyncio.sleep((pause + self._options.stay_seconds / 4) * dice.random())

    async def _visit(self, life: Life, manners: Manners) -> bool:
        """Whether it was let in."""
        guest = Guest(life, manners)
        try:
            await asyncio.get_running_loop().create_connection(lambda: guest, "127.0.0.1", self._port)
        except OSError:
            self.failed["gone"] += 1
            return False
        await guest.over
        if guest.status in {101, 200}:
            return True
        self.failed[str(guest.status or "gone")] += 1
        return False

    async def finish(self, held: Mapping[str, Sequence[Held]], seconds: float) -> None:
        """Lets everybody read what it is owed still."""
        await asyncio.gather(*(self._finish(life, held[life.session_id], seconds) for life in self.lives))

    async def _finish(self, life: Life, held: Sequence[Held], seconds: float) -> None:
        dice = random.Random(f"{self._options.seed}/{life.number}/last")
        until = time.monotonic() + seconds
        mine = owed(life, held)
        goal = mine[-1].id if mine else 0
        while time.monotonic() < until and (life.cursor or 0) < goal:
            stay = min(_FINAL_STAY_SECONDS, until - time.monotonic())
            manners = Manners(dice.choice(TRANSPORTS), stay, dice, lambda _: None, self._started_at, goal)
            if not await self._visit(life, manners):
                await asyncio.sleep(_REFUSED_SECONDS)
