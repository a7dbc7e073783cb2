"""One client of the feed: its socket, read and written by one thread that never blocks in a write.

Order of the beginning: follow the channel (Redis has confirmed it) → say `connection` → catch up from the record →
give what was announced meanwhile, without repeats → live. The other order loses events.

Frames out are bounded: while the client does not read, at most `_OUT_LIMIT_BYTES` wait here and the mailbox's limit
there; beyond that the client is behind and catches up when it reads again, or is closed when it makes no progress.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import random
import select
import socket
import time
from collections.abc import Callable

import orjson
from wsproto import WSConnection
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from pipeline.bus import Bus, Frame
from pipeline.bus.keys import session_channel
from pipeline.errors import BusUnavailable, InvalidEvent, StoreUnavailable
from pipeline.event import Event
from pipeline.settings import Settings
from pipeline.store.events import Filters
from web.closing import closing
from web.feed import frames
from web.feed.history import History, wanted
from web.feed.listener import Listener, Mailbox

logger = logging.getLogger(__name__)
_OUT_LIMIT_BYTES = 262_144
_RECEIVE_BYTES = 4_096
_REPLAY_PAGE_EVENTS = 500
_TICK_SECONDS = 1.0
_AGAIN_SECONDS = 0.5
# Whoever was connected comes back spread over this time, so that the next server is not stormed.
_RETRY_LIMIT_MS = 1_000


@dataclasses.dataclass(frozen=True)
class Wish:
    """What the client asked for: a cursor (None: only what is new), the epoch it knows, filters."""

    session_id: str
    after: int | None
    epoch: str | None
    filters: Filters


class Connection:
    """The life of one feed, from the handshake's end to the socket's."""

    def __init__(
        self,
        sock: socket.socket,
        protocol: WSConnection,
        wish: Wish,
        settings: Settings,
        bus: Bus,
        history: History,
        open_messages: Callable[[str], list[str]],
    ) -> None:
        self._socket = sock
        self._protocol = protocol
        self._wish = wish
        self._settings = settings
        self._bus = bus
        self._history = history
        self._open_messages = open_messages
        self._wanted = wanted(wish.filters)
        self._everything = wish.filters == Filters()
        self._out = bytearray()
        self._inbound = ""
        self._last_id = 0
        self._epoch = ""
        self._closing = False
        self._progress_at = self._heard_at = time.monotonic()
        self._catch_up_at: float | None = None
        self._bus_away = False
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)
        self.mailbox = Mailbox(settings.feed_queue_limit_bytes, self._wake)

    def _wake(self) -> None:
        # A full pipe has woken the reader already; a closed one has no reader any more.
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._wake_out, b"x")

    def run(self, listener: Listener) -> None:
        """Serves the client until it goes, is too slow, or the server ends."""
        self._socket.setblocking(False)
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with (
                closing.telling(self._wake),
                listener.following(session_channel(self._wish.session_id), self.mailbox),
            ):
                self._greet()
                self._serve()
        except BusUnavailable:
            self._say_goodbye(frames.RESTART, "the event bus does not answer, try again")
        except (OSError, LocalProtocolError, RemoteProtocolError) as error:
            logger.debug("a feed ended: %s", type(error).__name__)
        finally:
            os.close(self._wake_in)
            os.close(self._wake_out)

    # The beginning

    def _greet(self) -> None:
        wish = self._wish
        epoch, last_id = self._bus.clock()
        self._epoch = epoch
        self._out += frames.connected(wish.session_id, epoch, last_id)
        if wish.after is None:
            self._last_id = last_id
        else:
            reason = self._stale(epoch, last_id)
            if reason:
                self._out += frames.reset(reason, epoch, last_id)
            self._last_id = 0 if reason else wish.after
            self._out += frames.hello(self._last_id, epoch)
            self._catch_up_at = time.monotonic()
        self._give_answers()

    def _give_answers(self) -> None:
        for message_id in self._open_messages(self._wish.session_id):
            run = self._bus.run_state(message_id)
            if run.status == "live" and run.answer:
                self._out += frames.answer_so_far(message_id, run.tries, run.answer)

    def _stale(self, epoch: str, last_id: int) -> str | None:
        """Why the client's cursor cannot be resumed from."""
        wish = self._wish
        if wish.epoch is not None and wish.epoch != epoch:
            return "epoch"
        if wish.after is not None and wish.after > last_id:
            return "future"
        return None

    # The loop

    def _serve(self) -> None:
        poller = select.poll()
        poller.register(self._socket, select.POLLIN)
        poller.register(self._wake_in, select.POLLIN)
        while not self._closing or self._out:
            self._fill()
            if closing.begun:
                pause_ms = random.randint(0, _RETRY_LIMIT_MS)  # noqa: S311 - jitter needs no secrecy
                self._end(frames.RESTART, f"the server restarts, try again in {pause_ms} ms")
            now = time.monotonic()
            self._check_deadlines(now)
            poller.modify(self._socket, select.POLLIN | (select.POLLOUT if self._out else 0))
            for descriptor, ready in poller.poll(self._patience(now) * 1000):
                if descriptor == self._wake_in:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wake_in, 65_536)
                    continue
                if ready & select.POLLOUT:
                    self._send()
                if ready & ~select.POLLOUT and not self._receive():
                    return

    def _patience(self, now: float) -> float:
        ends = [now + _TICK_SECONDS, self._heard_at + self._settings.feed_keepalive_seconds]
        if self._catch_up_at is not None and len(self._out) < _OUT_LIMIT_BYTES:
            ends.append(self._catch_up_at)
        return max(0.0, min(ends) - now)

    def _check_deadlines(self, now: float) -> None:
        if self._out and now - self._progress_at > self._settings.feed_send_timeout_seconds:
            self._say_goodbye(frames.TOO_SLOW, "too slow; come back with ?after=")
            raise TimeoutError
        if now - self._heard_at >= self._settings.feed_keepalive_seconds and not self._closing:
            self._heard_at = now
            self._queue(frames.keepalive())

    def _fill(self) -> None:
        """Takes what waits, as long as the client keeps up."""
        if self._closing or len(self._out) >= _OUT_LIMIT_BYTES:
            return
        if self.mailbox.bus_away is not self._bus_away:
            self._bus_away = not self._bus_away
            self._queue(frames.bus(self._bus_away))
        if self._catch_up_at is not None:
            if time.monotonic() >= self._catch_up_at:
                self._catch_up()
            return
        waiting, behind = self.mailbox.take()
        for frame in waiting:
            self._give(frame)
        if behind:
            self._catch_up_at = time.monotonic()

    def _give(self, frame: Frame) -> None:
        if frame.id == 0:
            self._queue(frames.text(frame.body))
        elif frame.id > self._last_id:
            self._last_id = frame.id
            if self._everything or self._passes(frame.body):
                self._queue(frames.event(frame.body))

    def _passes(self, wire: bytes) -> bool:
        try:
            return self._wanted(Event.from_wire(wire))
        except InvalidEvent:
            return False

    def _check_epoch(self) -> None:
        """Begins anew when the log has: an id says nothing about what came after it in another epoch."""
        try:
            epoch, last_id = self._bus.clock()
        except BusUnavailable:
            # Once Redis is back, every feed falls behind and comes here again.
            return
        if epoch == self._epoch:
            return
        self._epoch = epoch
        if self._wish.after is None:
            # Whoever asked for what is new only, may not know a reset, and would take the replay for news.
            self._last_id = min(self._last_id, last_id)
            return
        self._queue(frames.reset("epoch", epoch, last_id))
        self._queue(frames.hello(0, epoch))
        self._last_id = 0
        self._give_answers()

    def _catch_up(self) -> None:
        """Replays one page of the record; the next follows when the client has read it."""
        try:
            self._check_epoch()
            page = self._history.after(self._wish.session_id, self._last_id, _REPLAY_PAGE_EVENTS, self._wish.filters)
        except StoreUnavailable:
            # The feed goes on when the database is back: an event must not be passed over.
            self._catch_up_at = time.monotonic() + _AGAIN_SECONDS
            return
        for event in page:
            self._queue(frames.event(event.wire))
        if page:
            self._last_id = page[-1].id
        self._catch_up_at = time.monotonic() if len(page) == _REPLAY_PAGE_EVENTS else None

    # The socket

    def _queue(self, data: bytes) -> None:
        if not self._out:
            self._progress_at = time.monotonic()
        self._out += data

    def _send(self) -> None:
        try:
            sent = self._socket.send(self._out)
        except (BlockingIOError, InterruptedError):
            return
        if sent:
            del self._out[:sent]
            self._progress_at = time.monotonic()

    def _receive(self) -> bool:
        """Reads what the client sent; False when it is gone."""
        try:
            data = self._socket.recv(_RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return True
        if not data:
            return False
        self._protocol.receive_data(data)
        for event in self._protocol.events():
            if isinstance(event, CloseConnection):
                self._out += self._protocol.send(event.response())
                self._closing = True
                return True
            if isinstance(event, Ping):
                self._queue(frames.frame(frames.PONG, bytes(event.payload)))
            elif isinstance(event, BytesMessage):
                self._end(frames.NOT_TEXT, "text frames only")
            elif isinstance(event, TextMessage):
                self._hear(event)
        return True

    def _hear(self, message: TextMessage) -> None:
        # A frame that the client leaves open counts, too: its pieces are added up.
        self._inbound += str(message.data)
        if len(self._inbound.encode()) > self._settings.feed_frame_limit_bytes:
            self._end(frames.TOO_BIG, "a frame was too long")
            return
        if not message.message_finished:
            return
        said, self._inbound = self._inbound, ""
        self._heard_at = time.monotonic()
        if said.strip() == "ping":
            self._queue(frames.text(b"pong"))
            return
        with contextlib.suppress(orjson.JSONDecodeError):
            value = orjson.loads(said)
            if isinstance(value, dict) and value.get("type") == "ping":
                self._queue(frames.json_text({"type": "pong", "timestamp": frames.now_text()}))

    def _end(self, code: int, reason: str) -> None:
        if not self._closing:
            self._out += frames.close(code, reason)
            self._closing = True

    def _say_goodbye(self, code: int, reason: str) -> None:
        with contextlib.suppress(OSError):
            self._socket.send(frames.close(code, reason))
