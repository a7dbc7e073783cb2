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
from pipeline.settings import Settings
from web.access import Rights
from web.feed import texts
from web.feed.admission import Admission
from web.feed.followed import Followed
from web.feed.past import Past
from web.feed.presence import presence
from web.feed.reader import Reader
from web.feed.seats import Claim, Seats
from web.feed.terms import Terms
from web.feed.transports import WEBSOCKET, Transport
from web.feed.wish import Wish
from web.relay.client import Client, Following
from web.relay.deadlines import Deadlines
from web.relay.errands import Errands
from web.relay.expiries import Expiries
from web.relay.further import Further
from web.relay.keys_in_use import KeysInUse
from web.relay.moves import Hooks, Moves
from web.relay.postman import Postman
from web.relay.topics import Topics

_RECEIVE_BYTES = 4_096
_ROUND_LIMIT = 512


class Crowd:
    """All clients. `changed` is told which channel is followed from now on (True) or no more (False)."""

    def __init__(
        self,
        settings: Settings,
        past: Past,
        admission: Admission,
        errands: Errands,
        seats: Seats,
        epoll: select.epoll,
        changed: Callable[[str, bool], None],
    ) -> None:
        self._postman = Postman(past, errands, epoll, self._leave, self._give_up, self._drop, self._take_in)
        self._further = Further(settings, admission, seats, errands, self._follow, self._leave, self._postman.flush)
        self._seats = seats
        self._epoll = epoll
        self._topics = Topics(changed)
        self._terms = Terms.of(settings)
        self._flow = self._terms.tally.loop
        self._queue_limit_bytes = settings.feed_queue_limit_bytes
        self._share_limit_bytes = settings.feed_queue_limit_bytes // max(1, settings.feed_sessions_limit)
        """The further sessions of a client share what the first one has."""
        self.clients: dict[int, Client] = {}
        """By descriptor."""
        self._due: dict[Client, None] = {}
        """Who is looked after in this round or the next ones."""
        self._silent: Deadlines[Client] = Deadlines(settings.feed_keepalive_seconds)
        self._quiet: Deadlines[Client] = Deadlines(self._terms.ping_seconds)
        self._expiries: Expiries[Client] = Expiries(time.monotonic())
        self._keys = KeysInUse(admission.ring.ended, errands, settings.key_cache_ms / 1000)
        hooks = Hooks(self._enter, self._forget, self._postman.begin, self._further.ask)
        self.moves = Moves(self._terms, self._topics, seats, self._queue_limit_bytes, hooks)

    @property
    def channels(self) -> Iterable[str]:
        """The channels that are read."""
        return self._topics.channels

    @property
    def figures(self) -> dict[str, int]:
        """How many sessions are read here, and how many feeds of them are behind."""
        behind = sum(
            following.behind or following.followed.catch_up_at is not None
            for client in self.clients.values()
            for following in client.followings
        )
        return {"sessions": len(list(self._topics.channels)), "behind": behind}

    @property
    def has_due(self) -> bool:
        """Whether somebody is to be looked after at once."""
        return bool(self._due) or self._keys.has_concerned

    def next_deadline(self, otherwise: float) -> float:
        """When the clock is to be looked at again."""
        return self._keys.next_deadline(self._postman.next_deadline(self._quiet.next(self._silent.next(otherwise))))

    def look_at_the_clock(self, now: float) -> None:
        """Does what is due."""
        for deadlines in (self._silent, self._quiet):
            for client in deadlines.take_due(now):
                deadlines.add(client, now)
                self._look_at_its_clock(client, now)
        for client in self._expiries.take_due(now):
            self._further.end_expired(client, now)
            self._look_at_its_clock(client, now)
            if not client.gone:
                # A client that was not greeted yet, or whose next token's time is not over.
                self._expiries.set(client, client.reader.next_expiry)
        self._keys.look_at_the_clock(now)
        self._postman.look_at_the_clock(now)
        self._terms.tally.say(now)

    def _look_at_its_clock(self, client: Client, now: float) -> None:
        client.reader.look_at_the_clock(now)
        if client.reader.lost:
            self._drop(client)
        else:
            self._postman.flush(client)

    def drop_the_stuck(self, now: float) -> None:
        """Ends the connections of those who have not read for too long."""
        self._postman.drop_the_stuck(now)

    # Who comes and goes

    def admit(self, sock: socket.socket, wish: Wish, rights: Rights, claim: Claim, read_ahead: bytes) -> None:
        """Takes a client in, whose place is taken already. Raises OSError when the system has no room for it."""
        now = time.monotonic()
        client = Client(sock, Reader(wish, rights, self._terms, now), claim, read_ahead)
        self._enter(client)
        self._follow(client, client.reader.followed[0])

    def _enter(self, client: Client) -> None:
        # What it says is heard once it was greeted.
        self._epoll.register(client.descriptor, 0)
        self.clients[client.descriptor] = client
        presence.come(client.reader.first_wish)
        self._silent.add(client, client.reader.heard_at)
        if client.reader.transport is WEBSOCKET:
            self._quiet.add(client, client.reader.quiet_since)
        self._note_ends(client)
        self._due[client] = None

    def _follow(self, client: Client, followed: Followed) -> None:
        self._postman.begin(self._topics.join(client, followed))
        self._note_ends(client)
        self._due[client] = None

    def _note_ends(self, client: Client) -> None:
        self._expiries.set(client, client.reader.next_expiry)
        self._keys.set(client, client.reader.key_ids)

    def _drop(self, client: Client) -> None:
        if not client.gone:
            self._forget(client)
            client.sock.close()

    def _forget(self, client: Client) -> None:
        client.gone = True
        presence.go(client.reader.first_wish)
        del self.clients[client.descriptor]
        self._epoll.unregister(client.descriptor)
        for following in tuple(client.followings):
            self._leave(following)
        self._postman.forget(client)
        for deadlines in (self._silent, self._quiet):
            deadlines.discard(client)
        self._expiries.set(client, None)
        self._keys.set(client, frozenset())
        self._due.pop(client, None)
        self._seats.give_back(client.claim)

    def _leave(self, following: Following) -> None:
        self._topics.leave(following)
        self._postman.forget_following(following)
        following.client.reader.followed.remove(following.followed)
        if following.followed.further:
            self._seats.leave(following.followed.wish.session_id)

    def _give_up(self, following: Following) -> None:
        """A further session cannot be begun with now; what is followed already goes on."""
        followed = following.followed
        self._terms.tally.count("refused:unavailable")
        self._further.end(following.client, followed, texts.refused(followed.wish.session_id, "unavailable"))

    def end_all(self) -> None:
        """Says the last words to everybody."""
        for client in list(self.clients.values()):
            client.reader.end_for_now(texts.RESTARTS)
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
        heard_at, expires_at, key_ids = reader.heard_at, reader.next_expiry, reader.key_ids
        try:
            reader.receive(data, now)
        except (LocalProtocolError, RemoteProtocolError):
            self._drop(client)
            return
        if reader.heard_at != heard_at:
            self._silent.add(client, now)
        if reader.transport is WEBSOCKET:
            self._quiet.add(client, now)
        if reader.next_expiry != expires_at or reader.key_ids != key_ids:
            self._note_ends(client)
        if reader.asked:
            self._further.see_to_asked(client, now)
        if reader.out:
            self._postman.flush(client)

    # What clients are told

    def lose_redis(self) -> None:
        """Nothing is followed any more."""
        self._due.update((following.client, None) for following in self._topics.lose())

    def miss_all(self) -> None:
        """Has everybody read the past: the log has begun anew, and each looks what that means for what it has read."""
        self._topics.miss_kept()
        for client in self.clients.values():
            for following in client.followings:
                self._miss(following)

    def confirm(self, channel: str) -> None:
        """Redis sends what is announced on the channel from now on."""
        topic = self._topics.get(channel)
        if topic is None:
            return
        # What was announced between the loss of Redis and now was missed.
        missed = topic.away
        topic.confirmed, topic.away = True, False
        for following in topic.members:
            if missed:
                self._miss(following)
            self._due[following.client] = None

    def _miss(self, following: Following) -> None:
        following.fall_behind()
        self._due[following.client] = None

    def deliver(self, channel: str, announced: list[Frame]) -> None:
        """Gives what was announced on a channel to everybody who reads it."""
        topic = self._topics.get(channel)
        if topic is None:
            return
        if topic.kept is not None:
            topic.kept.add(announced)
        ids = [frame.id for frame in announced if frame.id]
        first_id, newest_id = (ids[0], ids[-1]) if ids else (0, 0)
        says_more = len(ids) < len(announced)
        # Events are the same for everybody; of the rest, a further session's names the session.
        encoded: dict[tuple[Transport, bool], bytes] = {}
        now = time.monotonic()
        direct = size = 0
        for following in list(topic.members):
            followed, client = following.followed, following.client
            if not following.is_direct or (ids and first_id <= followed.last_id):
                self._keep(following, announced)
                continue
            key = (followed.transport, says_more and followed.further)
            data = encoded.get(key)
            if data is None:
                data = encoded[key] = _encoded(followed, announced)
            if ids:
                followed.last_id = newest_id
            direct += 1
            size += len(data)
            self._postman.send(client, data, now)
        if direct:
            self._flow.told(direct * len(announced), size, first_id, direct)

    def _keep(self, following: Following, announced: list[Frame]) -> None:
        """Keeps what cannot be told at once."""
        further = following.followed.further
        following.keep(announced, self._share_limit_bytes if further else self._queue_limit_bytes)
        client = following.client
        if not client.reader.has_room:
            client.unfilled = not client.reader.closing
        elif not following.busy:
            self._postman.look_after(client)

    def look_after_due(self) -> None:
        """Looks after some of those for whom something has changed."""
        for client in self._keys.take_concerned(_ROUND_LIMIT):
            self._further.end_revoked(client, self._keys.ended)
            self._postman.flush(client)
            if not client.gone:
                self._note_ends(client)
        for client in list(self._due)[:_ROUND_LIMIT]:
            del self._due[client]
            self._postman.look_after(client)


def _encoded(followed: Followed, announced: list[Frame]) -> bytes:
    if len(announced) == 1:
        return _encoded_one(followed, announced[0])
    return b"".join([_encoded_one(followed, frame) for frame in announced])


def _encoded_one(followed: Followed, frame: Frame) -> bytes:
    if frame.id:
        return followed.transport.event(frame.id, frame.body)
    return followed.message(frame.event_type, frame.body)
