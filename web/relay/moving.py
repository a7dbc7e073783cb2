"""What a relay tells its successor about its clients, as bytes. No I/O."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterable

import msgspec

from pipeline.bus import Frame
from web.feed.requests import Subscribe
from web.feed.seats import Claim
from web.feed.states import ReaderState

_MEANING = 1
"""Raised when a field means something else than before."""


@dataclasses.dataclass(frozen=True, slots=True)
class Waiting:
    """What waits of one session for a client: each frame's channel and bytes.

    `behind`: some were missed, so that the past must be read.
    """

    announced: tuple[tuple[str, bytes], ...]
    behind: bool

    @classmethod
    def of(cls, frames: Iterable[Frame], behind: bool) -> Waiting:
        """For these frames."""
        return cls(tuple((frame.channel, frame.data) for frame in frames), behind)

    @property
    def frames(self) -> list[Frame]:
        """The frames."""
        return [Frame(channel, data) for channel, data in self.announced]


@dataclasses.dataclass(frozen=True, slots=True)
class Luggage:
    """One client, but for its socket. `waiting` has an entry for each of the reader's sessions."""

    claim: Claim
    reader: ReaderState
    waiting: tuple[Waiting, ...]
    asking: tuple[Subscribe, ...]
    read_ahead: bytes

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(self.reader.out) + sum(len(data) for one in self.waiting for _, data in one.announced)


def _version() -> str:
    """Differs when a field is added, taken away or renamed, so that nobody has to think of it."""
    _, shapes = msgspec.json.schema_components([Luggage])
    return f"{_MEANING}-{zlib.crc32(msgspec.json.encode(shapes, order='deterministic')):08x}"


VERSION = _version()
"""Relays of one version understand each other."""
_clients = msgspec.msgpack.Decoder(tuple[Luggage, ...])
_names = msgspec.msgpack.Decoder(tuple[str, ...])


def pack_clients(clients: list[Luggage]) -> bytes:
    """Clients as bytes."""
    return msgspec.msgpack.encode(clients)


def read_clients(data: bytes) -> tuple[Luggage, ...]:
    """Reads them. Raises ValueError for what is none of this version."""
    return _clients.decode(data)


def pack_channels(names: list[str]) -> bytes:
    """Channels' names as bytes."""
    return msgspec.msgpack.encode(names)


def read_channels(data: bytes) -> tuple[str, ...]:
    """Reads them. Raises ValueError."""
    return _names.decode(data)
