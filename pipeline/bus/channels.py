"""Following channels without ever waiting: one connection for a loop that waits for many things at once."""

from __future__ import annotations

import collections
import socket
import ssl
from collections.abc import Iterable

import hiredis

from pipeline.bus import keys
from pipeline.bus.feed import Frame
from pipeline.bus.redis import asking, connect
from pipeline.errors import BusUnavailable
from pipeline.settings import Settings

_CONNECT_TIMEOUT_SECONDS = 2.0
_READ_BYTES = 262_144
_NOT_NOW = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Channels:
    """A connection that follows channels; nothing but its making waits, and only one thread may use it.

    After BusUnavailable it is dead: make a new one and read what was missed from the streams.
    """

    def __init__(self, settings: Settings) -> None:
        # Kept: a client that is forgotten takes its connections with it.
        self._client = connect(settings.redis_url, _CONNECT_TIMEOUT_SECONDS)
        self._connection = asking(self._client.connection_pool.get_connection)
        # The library opens the connection (address, TLS, password); it has no way to read one without waiting.
        self._socket: socket.socket = self._connection._sock  # noqa: SLF001
        self._socket.setblocking(False)
        self._replies = hiredis.Reader()
        self._read_buffer = bytearray(_READ_BYTES)
        self._out = bytearray()
        self._asked: collections.Counter[str] = collections.Counter()
        """How many confirmations of a channel are still to come."""
        # Everybody wants to know the epoch.
        self.follow([keys.EPOCHS])

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._socket.fileno()

    @property
    def has_to_write(self) -> bool:
        """Whether commands wait until the connection takes them."""
        return bool(self._out)

    def follow(self, channels: Iterable[str]) -> None:
        """Asks for channels; `read` gives each one's name once Redis has confirmed it."""
        names = list(channels)
        self._asked.update(names)
        self._command("SUBSCRIBE", names)

    def leave(self, channels: Iterable[str]) -> None:
        """Gives channels up."""
        self._command("UNSUBSCRIBE", list(channels))

    def _command(self, word: str, names: list[str]) -> None:
        if names:
            parts = [word, *names]
            self._out += b"*%d\r\n" % len(parts)
            for part in parts:
                data = part.encode()
                self._out += b"$%d\r\n%b\r\n" % (len(data), data)

    def write(self) -> None:
        """Sends what waits, as far as that goes now. Raises BusUnavailable."""
        try:
            while self._out:
                del self._out[: self._socket.send(self._out)]
        except _NOT_NOW:
            return
        except OSError as error:
            raise BusUnavailable(f"Redis did not answer: {type(error).__name__}") from error

    def read(self) -> list[Frame | str]:
        """What is there: frames, and the names of channels that are now followed. Raises BusUnavailable."""
        try:
            count = self._socket.recv_into(self._read_buffer)
            # The library's types know no bytearray, its code does.
            self._replies.feed(self._read_buffer, 0, count)  # type: ignore[arg-type]
            while isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
                more = self._socket.recv_into(self._read_buffer)
                self._replies.feed(self._read_buffer, 0, more)  # type: ignore[arg-type]
        except _NOT_NOW:
            return []
        except OSError as error:
            raise BusUnavailable(f"Redis did not answer: {type(error).__name__}") from error
        if not count:
            raise BusUnavailable("Redis has closed the subscription")
        found: list[Frame | str] = []
        try:
            while (reply := self._replies.gets()) is not False:
                # Nearly everything that comes: what a busy relay does for each event is done here.
                if isinstance(reply, list) and reply[0] == b"message":
                    found.append(Frame(reply[1].decode(), reply[2]))
                else:
                    self._understand(reply, found)
        except hiredis.HiredisError as error:
            raise BusUnavailable(f"Redis's answer was not understood: {error}") from error
        return found

    def _understand(self, reply: object, found: list[Frame | str]) -> None:
        if not isinstance(reply, list):
            raise BusUnavailable(f"Redis refused for now: {reply!r}")
        if reply[0] == b"subscribe":
            channel = reply[1].decode()
            self._asked[channel] -= 1
            # A channel that was left and asked for again meanwhile is followed from its last confirmation on.
            if self._asked[channel] <= 0:
                del self._asked[channel]
                found.append(channel)

    def close(self) -> None:
        """Ends the connection."""
        self._connection.disconnect()
        self._client.close()
