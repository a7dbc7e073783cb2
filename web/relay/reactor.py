"""The loop: one thread that waits for all sockets of a relay at once, and never for one of them.

Each round handles what is ready, a bounded amount for each socket, so that nobody waits for a neighbour.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable

from pipeline.bus import Frame
from pipeline.bus.keys import EPOCHS
from pipeline.settings import Settings
from web.feed.admission import Admission
from web.feed.past import Past
from web.feed.seats import Seats
from web.relay.crowd import Crowd
from web.relay.deadlines import Deadlines
from web.relay.door import Door, Visitor
from web.relay.errands import Errands
from web.relay.subscription import Subscription

_ROUND_LIMIT = 512
_TICK_SECONDS = 1.0
_STUCK_EVERY_SECONDS = 0.25
_VISIT_SECONDS = 10.0
_END_SECONDS = 1.0


class Reactor:
    """All that a relay does. Only `stop` may be called by others than its own thread."""

    def __init__(self, settings: Settings, past: Past, admission: Admission, seats: Seats) -> None:
        self._epoll = select.epoll()
        self._errands = Errands(settings.relay_threads)
        self.crowd = Crowd(settings, past, admission, self._errands, seats, self._epoll, self._follow)
        self._subscription = Subscription(
            settings, self._errands, lambda: self.crowd.channels, self._subscription_changed
        )
        self._subscribed: tuple[int, bool] | None = None
        """The descriptor of the subscription, and whether the loop waits for it to take more."""
        self._others: dict[int, Callable[[], None]] = {}
        self._visits: Deadlines[Visitor] = Deadlines(_VISIT_SECONDS)
        self._looked_at = 0.0
        self._stopped = False
        self._ends_at: float | None = None

    def stop(self) -> None:
        """Ends the loop, once everybody was told. May be called by a signal's handler."""
        self._stopped = True
        self._errands.wake()

    def run(self, door: Door) -> None:
        """Serves who comes through the door, until `stop`."""
        self._watch(self._errands.fileno(), lambda: None)
        self._watch(door.listener.fileno(), lambda: self._accept(door))
        self._subscription.connect()
        more = False
        while not self._is_over():
            for descriptor, ready in self._epoll.poll(0 if more else self._patience(), _ROUND_LIMIT):
                self._handle(descriptor, ready)
            more = self._errands.bring()
            self.crowd.look_after_due()
            self._write_to_redis()
            self._look_at_the_clock(door, time.monotonic())
            if self._stopped and self._ends_at is None:
                self._begin_to_end(door)
        self._epoll.close()

    def _is_over(self) -> bool:
        return self._ends_at is not None and (not self.crowd.clients or time.monotonic() >= self._ends_at)

    def _begin_to_end(self, door: Door) -> None:
        self._ends_at = time.monotonic() + _END_SECONDS
        self._forget(door.listener.fileno())
        door.close()
        self.crowd.end_all()

    def _patience(self) -> float:
        now = time.monotonic()
        if self.crowd.has_due:
            return 0.0
        until = self.crowd.next_deadline(self._ends_at or now + _TICK_SECONDS)
        if self._subscription.connect_at is not None:
            until = min(until, self._subscription.connect_at)
        return max(0.0, until - now)

    def _watch(self, descriptor: int, handle: Callable[[], None]) -> None:
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

    # Web processes

    def _accept(self, door: Door) -> None:
        for visitor in door.accept():
            self._visits.add(visitor, time.monotonic())
            self._watch(visitor.connection.fileno(), lambda who=visitor: self._hear(door, who))  # type: ignore[misc]
            # Mostly it has spoken already.
            self._hear(door, visitor)

    def _hear(self, door: Door, visitor: Visitor) -> None:
        if not door.hear(visitor):
            self._show_out(door, visitor)

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

    def _hear_redis(self) -> None:
        grouped: dict[str, list[Frame]] = {}
        for one in self._subscription.read():
            if isinstance(one, str):
                self.crowd.confirm(one)
            elif one.channel == EPOCHS:
                self.crowd.miss_all()
            else:
                grouped.setdefault(one.channel, []).append(one)
        for channel, announced in grouped.items():
            self.crowd.deliver(channel, announced)
