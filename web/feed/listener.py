"""One subscription for the whole process: channels are followed while somebody here wants them.

A `Mailbox` is one reader's bounded queue. When it overflows, or when Redis has cut the subscription, the mailbox is
`behind`: its reader catches up from the streams, from the last event that it has handled.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator

from pipeline.bus import Bus, Frame, Subscription
from pipeline.bus.keys import EPOCHS
from pipeline.errors import BusUnavailable

logger = logging.getLogger(__name__)
_READ_SECONDS = 1.0
_CONFIRM_SECONDS = 2.0
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0


class Mailbox:
    """What one reader has yet to handle.

    `wake` is called, from the listener's thread, when there is something new, and `missed`, once it has begun, when
    something is missed: at once, as a reader that does not read would learn of it late.
    """

    def __init__(self, limit_bytes: int, wake: Callable[[], None], missed: Callable[[], None] | None = None) -> None:
        self._frames: collections.deque[Frame] = collections.deque()
        self._lock = threading.Lock()
        """Keeps the queue, its size and `behind` in step between the listener's thread and the reader's."""
        self._size = 0
        self._limit_bytes = limit_bytes
        self._behind = self._begun = False
        self._wake = wake
        self._missed = missed
        self.bus_away = False
        """Whether the process has lost Redis and not heard of it again."""

    def put(self, frame: Frame) -> None:
        """Adds a frame; without room everything that waits is dropped and the reader told to catch up."""
        with self._lock:
            if self._behind:
                return
            if self._size + len(frame.body) > self._limit_bytes:
                self._mark_behind()
            else:
                self._frames.append(frame)
                self._size += len(frame.body)
        self._wake()

    def fall_behind(self) -> None:
        """Says that frames were missed."""
        with self._lock:
            self._mark_behind()
        self._wake()

    def tell_bus(self, away: bool) -> None:
        """Says that the process has lost Redis, or has it again."""
        self.bus_away = away
        self._wake()

    def _mark_behind(self) -> None:
        if self._missed is not None and self._begun and not self._behind:
            self._missed()
        self._frames.clear()
        self._size = 0
        self._behind = True

    def begin(self) -> None:
        """Says that all its channels are followed: what is missed from now on is news."""
        self._begun = True

    def take(self) -> tuple[list[Frame], bool]:
        """All that waits, and whether something was missed. From now on frames are gathered again."""
        with self._lock:
            frames, behind = list(self._frames), self._behind
            self._frames.clear()
            self._size = 0
            self._behind = False
            return frames, behind


class Listener:
    """The subscription of one process, and whose mailboxes its frames go to."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._lock = threading.Lock()
        """Guards the three dictionaries and the subscription; held only for moments, never while Redis is read."""
        self._mailboxes: dict[str, list[Mailbox]] = {}
        self._confirmed: dict[str, threading.Event] = {}
        self._subscription: Subscription | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._stopped = threading.Event()

    def close(self) -> None:
        """Follows nothing more; its thread ends at its next look, within about two seconds."""
        self._stopped.set()

    @property
    def sessions(self) -> int:
        """How many channels are followed."""
        return len(self._mailboxes)

    @contextlib.contextmanager
    def following(self, channel: str, mailbox: Mailbox) -> Iterator[None]:
        """Frames of the channel go to the mailbox; on entry Redis has confirmed it. Raises BusUnavailable."""
        confirmed = self._add(channel, mailbox)
        try:
            if not confirmed.wait(_CONFIRM_SECONDS):
                raise BusUnavailable("Redis did not confirm the subscription in time")
            # Whoever follows from now on has missed nothing: what came before they read themselves. A mailbox that is
            # behind takes no frames, and pieces of an answer, which nobody keeps, would be lost.
            mailbox.take()
            yield
        finally:
            self._remove(channel, mailbox)

    def _add(self, channel: str, mailbox: Mailbox) -> threading.Event:
        with self._lock:
            self._start()
            first = channel not in self._mailboxes
            self._mailboxes.setdefault(channel, []).append(mailbox)
            confirmed = self._confirmed.setdefault(channel, threading.Event())
            subscription = self._subscription
            if first and subscription is not None:
                with contextlib.suppress(BusUnavailable):
                    # A subscription that is gone is noticed by the reading thread, which follows everything anew.
                    subscription.follow(channel)
        return confirmed

    def _remove(self, channel: str, mailbox: Mailbox) -> None:
        with self._lock:
            left = [other for other in self._mailboxes.get(channel, []) if other is not mailbox]
            if left:
                self._mailboxes[channel] = left
                return
            self._mailboxes.pop(channel, None)
            self._confirmed.pop(channel, None)
            if self._subscription is not None:
                with contextlib.suppress(BusUnavailable):
                    self._subscription.leave(channel)

    def _start(self) -> None:
        if self._thread is not None and self._pid == os.getpid() and self._thread.is_alive():
            return
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self._stopped.is_set():
            try:
                subscription = self._bus.subscribe()
                self._take_over(subscription)
                pause = _FIRST_PAUSE_SECONDS
                self._read(subscription)
            except BusUnavailable as error:
                logger.warning("the feed's subscription was lost: %s", error)
            with self._lock:
                ended, self._subscription = self._subscription, None
                if ended is not None:
                    ended.close()
                for confirmed in self._confirmed.values():
                    confirmed.clear()
                mailboxes = [mailbox for followers in self._mailboxes.values() for mailbox in followers]
            for mailbox in mailboxes:
                mailbox.tell_bus(away=True)
            self._stopped.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def _take_over(self, subscription: Subscription) -> None:
        """Follows every wanted channel on a new subscription; what was announced in between was missed."""
        with self._lock:
            self._subscription = subscription
            if self._mailboxes:
                # All from one moment on: who follows several channels must not hear one before it has missed another.
                subscription.follow(*self._mailboxes)

    def _read(self, subscription: Subscription) -> None:
        while not self._stopped.is_set():
            got = subscription.read(_READ_SECONDS)
            if isinstance(got, str):
                self._confirm(got)
            elif got is not None and got.channel == EPOCHS:
                self._all_fall_behind()
            elif got is not None:
                with self._lock:
                    mailboxes = list(self._mailboxes.get(got.channel, ()))
                for mailbox in mailboxes:
                    mailbox.put(got)

    def _all_fall_behind(self) -> None:
        """The log's epoch has changed: everybody looks what that means for what they have read."""
        with self._lock:
            mailboxes = [mailbox for followers in self._mailboxes.values() for mailbox in followers]
        for mailbox in mailboxes:
            mailbox.fall_behind()

    def _confirm(self, channel: str) -> None:
        with self._lock:
            confirmed = self._confirmed.get(channel)
            if confirmed is None:
                return
            mailboxes = list(self._mailboxes.get(channel, ()))
        for mailbox in mailboxes:
            # A channel may have been left for a moment (an outage, or left and followed again at once): whoever
            # reads it looks into the record, which mostly holds nothing new.
            mailbox.tell_bus(away=False)
            mailbox.fall_behind()
        confirmed.set()
