"""One client of a relay: its socket, its reader, the sessions that it follows, and what waits until it reads again."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from pipeline.bus import Frame
from web.feed import client_socket
from web.feed.followed import Followed
from web.feed.reader import Reader
from web.feed.requests import Subscribe
from web.feed.seats import Claim
from web.feed.tally import tally
from web.relay.kept import Kept


class Topic:
    """A channel and who reads it here."""

    __slots__ = ("away", "channel", "confirmed", "kept", "members")

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.members: dict[Following, None] = {}
        self.confirmed = False
        """Whether Redis sends what is announced on it."""
        self.away = False
        """Whether Redis was lost since."""
        self.kept: Kept | None = None
        """What is kept for clients who are on their way here."""

    @property
    def is_there(self) -> bool:
        """Whether Redis has ever confirmed it: what was missed can be read only then, or something is missed again."""
        return self.confirmed or self.away


class Client:
    """Used by the loop alone."""

    __slots__ = (
        "asking",
        "claim",
        "descriptor",
        "followings",
        "gone",
        "lingering",
        "mask",
        "read_ahead",
        "reader",
        "sock",
        "unfilled",
    )

    def __init__(self, sock: socket.socket, reader: Reader, claim: Claim, read_ahead: bytes) -> None:
        client_socket.prepare(sock)
        self.sock = sock
        self.descriptor = sock.fileno()
        self.reader = reader
        self.claim = claim
        """What its place was taken for."""
        self.read_ahead = read_ahead
        """What it has said before it was greeted."""
        self.followings: list[Following] = []
        self.asking: tuple[Subscribe, ...] = ()
        """For which further sessions it is being found out whether it may follow them."""
        self.mask = 0
        """What the loop waits for with its socket."""
        self.lingering = self.gone = False
        self.unfilled = False
        """Whether it had no room for what waits, so that it is looked after once it has, whoever made the room."""

    @property
    def bus_away(self) -> bool:
        """Whether Redis was lost, as far as its sessions tell."""
        return any(topic.away for one in self.followings for topic in one.topics)

    def following(self, session_id: str) -> Following | None:
        """How it follows a session."""
        return next((one for one in self.followings if one.followed.wish.session_id == session_id), None)


class Following:
    """One session that one client follows, or its one feed across sessions: the state, and its frames that wait."""

    __slots__ = ("behind", "busy", "client", "followed", "gone", "topics", "waiting", "waiting_bytes")

    def __init__(self, client: Client, followed: Followed, topics: tuple[Topic, ...]) -> None:
        self.client = client
        self.followed = followed
        self.topics = topics
        """One for a session; what a user follows is announced on two."""
        self.waiting: list[Frame] = []
        self.waiting_bytes = 0
        self.behind = False
        """Whether something was missed."""
        self.busy = False
        """Whether an errand is under way for it."""
        self.gone = False

    @property
    def is_there(self) -> bool:
        """As `Topic.is_there`, for all that it follows."""
        return all(topic.is_there for topic in self.topics)

    @property
    def is_confirmed(self) -> bool:
        """Whether Redis sends all that it follows."""
        return all(topic.confirmed for topic in self.topics)

    @property
    def is_direct(self) -> bool:
        """Whether frames may be sent as they are: all before was told and sent, and everything is wanted."""
        if self.busy or self.behind or self.waiting:
            return False
        reader = self.client.reader
        return self.followed.is_live and not (reader.out or reader.closing)

    def keep(self, found: Sequence[Frame], limit_bytes: int) -> None:
        """Keeps frames until they can be told; without room all are dropped, to be read from the past."""
        if self.behind:
            return
        self.waiting_bytes += sum(len(frame.body) for frame in found)
        if self.waiting_bytes > limit_bytes:
            self.fall_behind()
        else:
            self.waiting += found

    def fall_behind(self) -> None:
        """Says that frames were missed."""
        if not self.behind:
            tally.count("behind")
        self.waiting, self.waiting_bytes, self.behind = [], 0, True

    def take(self) -> tuple[list[Frame], bool]:
        """All that waits, and whether something was missed. From now on frames are kept again."""
        found, behind = self.waiting, self.behind
        self.waiting, self.waiting_bytes, self.behind = [], 0, False
        return found, behind
