"""A TCP proxy that can cut, delay, throttle, drop replies, stand still or refuse."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from tests.parts.ports import free_port

_RECEIVE_BYTES = 65_536
_CONNECT_SECONDS = 1.0


class TcpProxy:
    """Passes bytes between `port` and a server's port on 127.0.0.1, until it is told to misbehave.

    `refusing`: new connections are closed at once. `delay_seconds`: before each piece, either way.
    `dropping_replies`: a request reaches the server, and its reply breaks the connection instead of passing.
    `bytes_per_second`: the pace of replies; 0: unbounded. `stand_still`: nothing passes, nothing is closed.
    """

    def __init__(self, target_port: int) -> None:
        self.port = free_port()
        self.refusing = False
        self.delay_seconds = 0.0
        self.dropping_replies = False
        self.bytes_per_second = 0
        self._target_port = target_port
        self._flows = threading.Event()
        self._flows.set()
        self._lock = threading.Lock()
        """Guards the set of open sockets."""
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        threading.Thread(target=self._accept, name=f"proxy-{self.port}", daemon=True).start()

    def stand_still(self, still: bool) -> None:
        """Half-open: both sides believe in the connection, and nothing passes."""
        (self._flows.clear if still else self._flows.set)()

    def cut(self) -> None:
        """Breaks every connection."""
        with self._lock:
            sockets = list(self._open)
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def heal(self) -> None:
        """Behaves again."""
        self.refusing = self.dropping_replies = False
        self.delay_seconds, self.bytes_per_second = 0.0, 0
        self._flows.set()

    def close(self) -> None:
        """Stops listening and breaks everything."""
        self.refusing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._flows.set()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        try:
            if self.refusing:
                raise ConnectionRefusedError
            server = socket.create_connection(("127.0.0.1", self._target_port), _CONNECT_SECONDS)
        except OSError:
            client.close()
            return
        pair = {client, server}
        for one in pair:
            one.settimeout(None)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open |= pair
        back = threading.Thread(target=self._pump, args=(server, client, True), daemon=True)
        back.start()
        self._pump(client, server, False)
        back.join()
        with self._lock:
            self._open -= pair
        for one in pair:
            one.close()

    def _pump(self, source: socket.socket, sink: socket.socket, is_reply: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_RECEIVE_BYTES):
                self._flows.wait()
                if self.delay_seconds:
                    time.sleep(self.delay_seconds)
                if is_reply and self.dropping_replies:
                    break
                self._pass(sink, data, is_reply)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _pass(self, sink: socket.socket, data: bytes, is_reply: bool) -> None:
        while data:
            pace = self.bytes_per_second if is_reply else 0
            piece, data = (data[: max(1, pace // 10)], data[max(1, pace // 10) :]) if pace else (data, b"")
            sink.sendall(piece)
            if pace:
                time.sleep(max(0.1, 1 / pace))
