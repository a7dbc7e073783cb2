"""The proxy does to a connection what it is told to."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.parts.proxy import TcpProxy


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    """A proxy before a server that says everything back."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def echo(client: socket.socket) -> None:
            with contextlib.suppress(OSError), client:
                while data := client.recv(1000):
                    client.sendall(data)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=echo, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        made = TcpProxy(server.getsockname()[1])
        yield made
        made.close()


@contextlib.contextmanager
def _connected(proxy: TcpProxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as client:
        client.settimeout(5)
        yield client


def test_bytes_pass_until_it_is_cut(proxy: TcpProxy) -> None:
    """Without this no fault of the network would reach anybody."""
    with _connected(proxy) as client:
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"
        proxy.cut()
        assert client.recv(5) == b""


def test_a_reply_is_dropped(proxy: TcpProxy) -> None:
    """Without this a repeated request would never be tried."""
    with _connected(proxy) as client:
        client.sendall(b"a")
        assert client.recv(1) == b"a"
        proxy.dropping_replies = True
        client.sendall(b"b")
        assert client.recv(1) == b""


def test_it_stands_still_and_goes_on(proxy: TcpProxy) -> None:
    """Without this a half-open connection would never be tried."""
    with _connected(proxy) as client:
        proxy.stand_still(True)
        client.sendall(b"a")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        proxy.heal()
        client.settimeout(5)
        assert client.recv(1) == b"a"


def test_it_refuses_and_delays(proxy: TcpProxy) -> None:
    """Without this an outage or a slow network would never be tried."""
    proxy.refusing = True
    with _connected(proxy) as client:
        assert client.recv(1) == b""
    proxy.heal()
    proxy.delay_seconds = 0.1
    with _connected(proxy) as client:
        began = time.monotonic()
        client.sendall(b"a")
        assert client.recv(1) == b"a"
        assert time.monotonic() - began >= 0.2


def test_it_throttles(proxy: TcpProxy) -> None:
    """Without this a slow reader would never be tried."""
    proxy.bytes_per_second = 20
    with _connected(proxy) as client:
        began = time.monotonic()
        client.sendall(b"abcdefgh")
        assert client.makefile("rb").read(8) == b"abcdefgh"
        assert time.monotonic() - began >= 0.3
