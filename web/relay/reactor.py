"""The loop: one thread that waits for all sockets of a relay at once, and never for one of them.

Each round handles what is ready, a bounded amount for each socket, so that nobody waits for a neighbour.
"""

from __future__ import annotations

import collections
import logging
import select
import time
from collections.abc import Callable

import orjson

from pipeline.bus import Frame
from pipeline.bus.keys import EPOCHS, EVERYONE
from pipeline.failpoints import Failpoints
from pipeline.settings import Settings
from web.feed.admission import Admission
from web.feed.past import Past
from web.feed.presence import presence
from web.feed.seats import Seats
from web.feed.tally import tally
from web.relay.crowd import Crowd
from web.relay.deadlines import Deadlines
from web.relay.door import Door, Visitor
from web.relay.errands import Errands
from web.relay.giving import Outcome
from web.relay.subscription import Subscription
from web.relay.succession import Succession

logger = logging.getLogger(__name__)
_ROUND_LIMIT = 512
_TICK_SECONDS = 1.0
_STUCK_EVERY_SECONDS = 0.25
_VISIT_SECONDS = 10.0
_END_SECONDS = 1.0
_GIVE_SECONDS = 0.8
"""At the end a succession that is under way may go on for so long."""


class Reactor:
    """All that a relay does. Only `stop` and `soon` may be called by others than its own thread.

    `name` is for the log.
    """

    def __init__(
        self, settings: Settings, past: Past, admission: Admission, seats: Seats, name: str = "relay 0"
    ) -> None:
        self._name = name
        self._failpoints = Failpoints(settings.failpoints)
        self._epoll = select.epoll()
        self._errands = Errands(settings.relay_threads)
        self.crowd = Crowd(settings, past, admission, self._errands, seats, self._epoll, self._follow)
        self._subscription = Subscription(
            settings, self._errands, lambda: self.crowd.channels, self._subscription_changed
        )
        self._subscribed: tuple[int, bool] | None = None
        """The descriptor of the subscription, and whether the loop waits for it to take more."""
        self._others: dict[int, Callable[[], object]] = {}
        self._visits: Deadlines[Visitor] = Deadlines(_VISIT_SECONDS)
        self._looked_at = 0.0
        self._stopped_at: float | None = None
        self._ends_at: float | None = None
        self._soon: Callable[[], None] | None = None
        self._busy_seconds = 0.0
        """How long the loop has worked and not waited."""

    def stop(self) -> None:
        """Ends the loop, once everybody was told. May be called by a signal's handler."""
        self._stopped_at = time.monotonic()
        self._errands.wake()

    def soon(self, call: Callable[[], None]) -> None:
        """Has the loop make a call. May be called by a signal's handler."""
        self._soon = call
        self._errands.wake()

    def figures(self) -> bytes:
        """What was counted here, as JSON."""
        figures = tally.figures
        return orjson.dumps(
            {
                "process": self._name.replace(" ", "-"),
                "taking": self.succession.is_under_way,
                "taken": self.succession.taken,
                "gauges": self.crowd.figures,
                "streams": presence.figures,
                **figures,
                "counts": figures["counts"] | {"busy_us": int(self._busy_seconds * 1_000_000)},
            }
        )

    def run(self, door: Door, failed: Callable[[], None] = lambda: None) -> Outcome | None:
        """Serves who comes through the door, until `stop`, or until a successor has everything.

        Takes over from the relay that is there. `failed` is called when a successor was there and is gone. Gives how a
        succession ended. Raises OSError when the door cannot be opened.
        """
        self.succession = Succession(
            self.crowd,
            self._watch,
            self._forget,
            self._mark,
            lambda: self._open(door),
            lambda: self._close(door),
            self._failpoints,
        )
        self.succession.failed = failed
        self._watch(self._errands.fileno(), self._errands.hear)
        self._subscription.connect()
        predecessor = door.predecessor()
        if predecessor is None:
            self._open(door)
        else:
            self.succession.take(predecessor)
        more = False
        while not self._is_over():
            found = self._epoll.poll(0 if more else self._patience(), _ROUND_LIMIT)
            began = time.monotonic()
            for descriptor, ready in found:
                self._handle(descriptor, ready)
            more = self._errands.bring()
            self.crowd.look_after_due()
            self._write_to_redis()
            self._look_at_the_clock(door, time.monotonic())
            if self._soon is not None:
                call, self._soon = self._soon, None
                call()
            if self._ends_at is None and self._has_to_end():
                self._begin_to_end(door)
            self._busy_seconds += time.monotonic() - began
        self._epoll.close()
        return self.succession.outcome

    def _has_to_end(self) -> bool:
        if self.succession.outcome is not None:
            return True
        if self._stopped_at is None:
            return False
        return not self.succession.is_giving or time.monotonic() >= self._stopped_at + _GIVE_SECONDS

    def _is_over(self) -> bool:
        return self._ends_at is not None and (not self.crowd.clients or time.monotonic() >= self._ends_at)

    def _begin_to_end(self, door: Door) -> None:
        self._ends_at = time.monotonic() + _END_SECONDS
        self._close(door)
        self.crowd.end_all()

    def _patience(self) -> float:
        now = time.monotonic()
        if self.crowd.has_due:
            return 0.0
        until = self.crowd.next_deadline(self._ends_at or now + _TICK_SECONDS)
        if self._subscription.connect_at is not None:
            until = min(until, self._subscription.connect_at)
        return max(0.0, until - now)

    def _watch(self, descriptor: int, handle: Callable[[], object]) -> None:
        self._others[descriptor] = handle
        self._epoll.register(descriptor, select.EPOLLIN)

    def _forget(self, descriptor: int) -> None:
        del self._others[descriptor]
        self._epoll.unregister(descriptor)

    def _handle(self, descriptor: int, ready: int) -> None:
        client = self.crowd.clients.get(descriptor)
        if client is not None:
            self.crowd.handle(client, ready)
        elif descriptor in self._others:
            self._others[descriptor]()

    def _look_at_the_clock(self, door: Door, now: float) -> None:
        self.crowd.look_at_the_clock(now)
        if now - self._looked_at > _STUCK_EVERY_SECONDS:
            self._looked_at = now
            self.crowd.drop_the_stuck(now)
        for visitor in self._visits.take_due(now):
            self._show_out(door, visitor)
        if self._subscription.connect_at is not None and now >= self._subscription.connect_at:
            self._subscription.connect()

        self.succession.look_at_the_clock(now)

    # Web processes, and a successor

    def _open(self, door: Door) -> None:
        self._watch(door.open().fileno(), lambda: self._accept(door))
        logger.info("%s serves feeds", self._name)

    def _close(self, door: Door) -> bool:
        """Lets nobody in any more but who stands before the door already; True when nobody is in."""
        if door.listener is not None:
            while self._accept(door):
                continue
            self._forget(door.listener.fileno())
            door.close()
        return not self._visits

    def _accept(self, door: Door) -> int:
        """Lets some in, and gives how many."""
        visitors = door.accept()
        for visitor in visitors:
            self._visits.add(visitor, time.monotonic())
            self._watch(visitor.connection.fileno(), lambda who=visitor: self._hear(door, who))  # type: ignore[misc]
            # Mostly it has spoken already.
            self._hear(door, visitor)
        return len(visitors)

    def _hear(self, door: Door, visitor: Visitor) -> None:
        if not door.hear(visitor):
            self._show_out(door, visitor)
        elif visitor.succeeds is not None:
            self._visits.discard(visitor)
            self._forget(visitor.connection.fileno())
            if self._ends_at is not None or not self.succession.give(visitor.connection, visitor.succeeds):
                visitor.connection.close()

    def _show_out(self, door: Door, visitor: Visitor) -> None:
        self._visits.discard(visitor)
        self._forget(visitor.connection.fileno())
        door.show_out(visitor)

    # Redis

    def _follow(self, channel: str, followed: bool) -> None:
        if self._subscription.channels is not None:
            change = self._subscription.channels.follow if followed else self._subscription.channels.leave
            change([channel])

    def _subscription_changed(self) -> None:
        if self._subscribed is not None:
            self._forget(self._subscribed[0])
            self._subscribed = None
        channels = self._subscription.channels
        if channels is None:
            self.crowd.lose_redis()
        else:
            self._subscribed = (channels.fileno(), False)
            self._watch(channels.fileno(), self._hear_redis)

    def _write_to_redis(self) -> None:
        """Sends what a round has made of commands, all at once."""
        channels = self._subscription.channels
        if channels is None or not (channels.has_to_write or (self._subscribed or (0, False))[1]):
            return
        self._subscription.write()
        if self._subscribed is not None:
            descriptor, _ = self._subscribed
            self._subscribed = (descriptor, channels.has_to_write)
            self._epoll.modify(descriptor, select.EPOLLIN | (select.EPOLLOUT if channels.has_to_write else 0))

    def _mark(self) -> bool:
        """Asks for a channel again that is followed: Redis says so behind all that it has announced."""
        if self._subscription.channels is None:
            return False
        self._subscription.channels.follow([EPOCHS])
        return True

    def _hear_redis(self) -> None:
        grouped: collections.defaultdict[str, list[Frame]] = collections.defaultdict(list)
        marked = False
        for one in self._subscription.read():
            if isinstance(one, str):
                self.crowd.confirm(one)
                marked |= one == EPOCHS
                continue
            # Who follows this channel follows another one as well, and is told both in their one order.
            if (EVERYONE in grouped) if one.channel != EVERYONE else (len(grouped) > (EVERYONE in grouped)):
                self._deliver(grouped)
            grouped[one.channel].append(one)
        self._deliver(grouped)
        tally.loop.look_at_the_clock()
        if marked:
            # What came with the mark is told by now.
            self.succession.marked()

    def _deliver(self, grouped: dict[str, list[Frame]]) -> None:
        """Tells what was announced, by channel, and forgets it."""
        if grouped.pop(EPOCHS, None):
            self.crowd.miss_all()
        for channel, announced in grouped.items():
            self.crowd.deliver(channel, announced)
        grouped.clear()
