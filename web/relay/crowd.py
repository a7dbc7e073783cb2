"""The clients of a relay: who reads which session, what waits for whom, and how it reaches their sockets.

What is announced is encoded once for all who read it. Everything here is done by the loop's thread and returns at
once.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterable

from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from pipeline.bus import Frame
from pipeline.bus.keys import session_channel
from pipeline.settings import Settings
from web.feed import frames, texts
from web.feed.past import Past
from web.feed.reader import Reader, Terms
from web.feed.transports import Transport
from web.feed.wish import Wish
from web.relay.client import Client, Topic
from web.relay.deadlines import Deadlines
from web.relay.errands import Errands
from web.relay.postman import Postman
from web.relay.seats import Seats

_RECEIVE_BYTES = 4_096
_ROUND_LIMIT = 512


class Crowd:
    """All clients. `changed` is told which channel is followed from now on (True) or no more (False)."""

    def __init__(
        self,
        settings: Settings,
        past: Past,
        errands: Errands,
        seats: Seats,
        epoll: select.epoll,
        changed: Callable[[str, bool], None],
    ) -> None:
        self._postman = Postman(past, errands, epoll, self._leave, self._drop, self._take_in)
        self._seats = seats
        self._epoll = epoll
        self._changed = changed
        self._terms = Terms.of(settings)
        self._queue_limit_bytes = settings.feed_queue_limit_bytes
        self.clients: dict[int, Client] = {}
        """By descriptor."""
        self._topics: dict[str, Topic] = {}
        self._due: dict[Client, None] = {}
        """Who is looked after in this round or the next ones."""
        self._silent: Deadlines[Client] = Deadlines(settings.feed_keepalive_seconds)

    @property
    def channels(self) -> Iterable[str]:
        """The channels that are read."""
        return self._topics

    @property
    def has_due(self) -> bool:
        """Whether somebody is to be looked after at once."""
        return bool(self._due)

    def next_deadline(self, otherwise: float) -> float:
        """When the clock is to be looked at again."""
        return self._postman.next_deadline(self._silent.next(otherwise))

    def look_at_the_clock(self, now: float) -> None:
        """Does what is due."""
        for client in self._silent.take_due(now):
            client.reader.keep_alive(now)
            self._silent.add(client, now)
            self._postman.flush(client)
        self._postman.look_at_the_clock(now)

    def drop_the_stuck(self, now: float) -> None:
        """Ends the connections of those who have not read for too long."""
        self._postman.drop_the_stuck(now)

    # Who comes and goes

    def admit(self, sock: socket.socket, wish: Wish, read_ahead: bytes) -> None:
        """Takes a client in, whose place is taken already. Raises OSError when the system has no room for it."""
        now = time.monotonic()
        channel = session_channel(wish.session_id)
        topic = self._topics.get(channel) or Topic(channel)
        client = Client(sock, Reader(wish, self._terms, now), topic, read_ahead)
        # What it says is heard once it was greeted.
        self._epoll.register(client.descriptor, 0)
        self.clients[client.descriptor] = client
        topic.members[client] = None
        if channel not in self._topics:
            self._topics[channel] = topic
            self._changed(channel, True)
        self._silent.add(client, now)
        self._postman.begin(client)
        self._due[client] = None

    def _drop(self, client: Client) -> None:
        if client.gone:
            return
        client.gone = True
        del self.clients[client.descriptor]
        self._epoll.unregister(client.descriptor)
        client.sock.close()
        self._leave(client)
        self._postman.forget(client)
        self._silent.discard(client)
        self._due.pop(client, None)
        self._seats.give_back(client.reader.wish.session_id)

    def _leave(self, client: Client) -> None:
        topic = client.topic
        if topic.members.pop(client, 0) is None and not topic.members:
            del self._topics[topic.channel]
            self._changed(topic.channel, False)

    def end_all(self) -> None:
        """Says the last words to everybody."""
        for client in list(self.clients.values()):
            client.reader.end(frames.RESTART, texts.restart_reason())
            self._postman.flush(client)

    # What a client says

    def handle(self, client: Client, ready: int) -> None:
        """Deals with a client whose socket can be written or read."""
        if ready & select.EPOLLOUT:
            self._postman.look_after(client)
        if ready & ~select.EPOLLOUT and not client.gone:
            self._receive(client)

    def _receive(self, client: Client) -> None:
        try:
            data = client.sock.recv(_RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if data:
            self._take_in(client, data)
        else:
            self._drop(client)

    def _take_in(self, client: Client, data: bytes) -> None:
        reader, now = client.reader, time.monotonic()
        heard_at = reader.heard_at
        try:
            reader.receive(data, now)
        except (LocalProtocolError, RemoteProtocolError):
            self._drop(client)
            return
        if reader.heard_at != heard_at:
            self._silent.add(client, now)
        if reader.out:
            self._postman.flush(client)

    # What clients are told

    def lose_redis(self) -> None:
        """Nothing is followed any more."""
        for topic in self._topics.values():
            topic.confirmed, topic.away = False, True
            self._due.update(topic.members)

    def miss_all(self) -> None:
        """Has everybody read the past: the log has begun anew, and each looks what that means for what it has read."""
        for client in self.clients.values():
            self._miss(client)

    def confirm(self, channel: str) -> None:
        """Redis sends what is announced on the channel from now on."""
        topic = self._topics.get(channel)
        if topic is None:
            return
        # What was announced between the loss of Redis and now was missed.
        missed = topic.away
        topic.confirmed, topic.away = True, False
        for client in topic.members:
            if missed:
                self._miss(client)
            self._due[client] = None

    def _miss(self, client: Client) -> None:
        client.fall_behind()
        self._due[client] = None

    def deliver(self, channel: str, announced: list[Frame]) -> None:
        """Gives what was announced on a channel to everybody who reads it."""
        topic = self._topics.get(channel)
        if topic is None:
            return
        ids = [frame.id for frame in announced if frame.id]
        encoded: dict[Transport, bytes] = {}
        now = time.monotonic()
        for client in list(topic.members):
            reader = client.reader
            if not client.is_direct or (ids and ids[0] <= reader.last_id):
                client.keep(announced, self._queue_limit_bytes)
                if not client.busy and reader.has_room:
                    self._postman.look_after(client)
                continue
            data = encoded.get(reader.transport)
            if data is None:
                data = encoded[reader.transport] = _encoded(reader.transport, announced)
            if ids:
                reader.last_id = ids[-1]
            self._postman.send(client, data, now)

    def look_after_due(self) -> None:
        """Looks after some of those for whom something has changed."""
        for client in list(self._due)[:_ROUND_LIMIT]:
            del self._due[client]
            self._postman.look_after(client)


def _encoded(transport: Transport, announced: list[Frame]) -> bytes:
    return b"".join(
        transport.event(frame.id, frame.body) if frame.id else transport.message(frame.event_type, frame.body)
        for frame in announced
    )
