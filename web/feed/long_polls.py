"""Polls that wait: woken by what is announced, never more of them than the server has threads to spare."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from pipeline.bus.keys import session_channel
from pipeline.errors import BusUnavailable
from pipeline.settings import Settings
from web.closing import closing
from web.feed.history import wanted_frame
from web.feed.listener import Listener, Mailbox
from web.feed.polls import Ask, Page, Polls

BUSY, REDIS, RESTART = "busy", "redis", "restart"
"""Why a poll is answered before its time is over: too many wait, Redis is away, this process ends."""
_MAILBOX_BYTES = 65_536
"""Frames are only looked at: whoever has more waiting reads the page anew, as they would anyway."""
_LOOK_SECONDS = 1.0


class Waits:
    """How many polls of this process wait; one that would take the last threads is not let in, or has to leave."""

    def __init__(self, settings: Settings, feeds: Callable[[], int]) -> None:
        self._limit = min(settings.poll_waits_limit, settings.web_threads // 2)
        self._threads_limit = settings.web_threads * 3 // 4
        self._feeds = feeds
        self._lock = threading.Lock()
        """Guards the count between the threads of the server."""
        self.count = 0

    @contextlib.contextmanager
    def place(self) -> Iterator[bool]:
        """Whether the caller may wait while the block runs."""
        with self._lock:
            free = self.count < self._limit and self.count + self._feeds() < self._threads_limit
            self.count += free
        try:
            yield free
        finally:
            with self._lock:
                self.count -= free

    @property
    def crowded(self) -> bool:
        """Whether feeds have come meanwhile that need the threads."""
        return self.count + self._feeds() > self._threads_limit


class LongPolls:
    """Answers polls, at once or when there is something."""

    def __init__(self, settings: Settings, polls: Polls, listener: Listener, feeds: Callable[[], int]) -> None:
        self.polls = polls
        self._listener = listener
        self.waits = Waits(settings, feeds)

    def page(self, ask: Ask, wait_seconds: float) -> tuple[Page, str | None]:
        """The page, and why it was not waited for as long as was asked, if so. Raises StoreUnavailable."""
        deadline = time.monotonic() + wait_seconds
        page = self.polls.page(ask)
        if page.has_news or wait_seconds <= 0:
            return page, None
        with self.waits.place() as free:
            return self._wait(ask, page, deadline) if free else (page, BUSY)

    def _wait(self, ask: Ask, page: Page, deadline: float) -> tuple[Page, str | None]:
        news = threading.Event()
        mailbox = Mailbox(_MAILBOX_BYTES, news.set)
        channel = session_channel(ask.session_id)
        try:
            with closing.telling(news.set), self._listener.following(channel, mailbox):
                # What came between the first look and the subscription was not announced to this mailbox.
                mailbox.fall_behind()
                return self._look(ask, page, mailbox, news, deadline)
        except BusUnavailable:
            return self.polls.page(ask), REDIS

    def _look(
        self, ask: Ask, page: Page, mailbox: Mailbox, news: threading.Event, deadline: float
    ) -> tuple[Page, str | None]:
        wanted = wanted_frame(ask.filters)
        after = ask.after or 0
        while True:
            news.clear()
            frames, behind = mailbox.take()
            if behind or any(frame.id > after and wanted(frame) for frame in frames):
                page = self.polls.page(ask)
                if page.has_news:
                    return page, None
            if closing.begun:
                return page, RESTART
            if mailbox.bus_away:
                return self.polls.page(ask), REDIS
            left = deadline - time.monotonic()
            if left <= 0:
                return page, None
            if self.waits.crowded:
                return page, BUSY
            news.wait(min(left, _LOOK_SECONDS))
