"""One request to a webhook's receiver: to an address that was judged, bounded in time and size, redirects not followed.

Only the status is read of the answer, so this needs no HTTP library, and none that follows, retries or resolves.
"""

from __future__ import annotations

import dataclasses
import re
import socket
import ssl
import time
from collections.abc import Mapping, Sequence

from pipeline.errors import TargetRefused
from pipeline.settings import Settings
from pipeline.subscriptions.addresses import Address, Target, resolved, target_of

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})[ \r\n]")
_CHUNK_BYTES = 16_384
_HEAD_END = b"\r\n\r\n"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How an attempt ended; `error` is None when the receiver took it, else words that give nothing away.

    `final` says that further attempts are of no use.
    """

    error: str | None
    latency_ms: int
    http_status: int | None = None
    final: bool = False


class _TimedOut(Exception):
    """The attempt took too long."""


class _Deadline:
    """What is left of an attempt's time."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds, above zero. Raises _TimedOut."""
        seconds = self._until - time.monotonic()
        if seconds <= 0:
            raise _TimedOut
        return seconds


def post(url: str, headers: Mapping[str, str], body: bytes, settings: Settings) -> Outcome:
    """Sends the body to a webhook's receiver; never raises for what a receiver does."""
    started = time.monotonic()
    status, error, final = None, None, False
    try:
        status = _status(target_of(url, settings), headers, body, settings)
        error = _words(status)
        final = status == 410
    except TargetRefused as refused:
        error, final = str(refused), not refused.passing
    except (_TimedOut, TimeoutError):
        error = f"no answer within {settings.delivery_timeout_seconds:g} s"
    except ssl.SSLCertVerificationError:
        error = "the receiver's certificate is not valid for its name"
    except ssl.SSLError:
        error = "no TLS connection could be made"
    except ConnectionRefusedError:
        error = "the connection was refused"
    except (OSError, ValueError):
        error = "the connection failed"
    return Outcome(error, int((time.monotonic() - started) * 1000), status, final)


def _words(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"it answered {status}; redirects are not followed"
    return f"it answered {status}"


def _status(target: Target, headers: Mapping[str, str], body: bytes, settings: Settings) -> int:
    deadline = _Deadline(settings.delivery_timeout_seconds)
    with _connected(resolved(target, settings, deadline.left()), target.port, deadline) as plain:
        if target.scheme == "http":
            return _asked(plain, target, headers, body, settings, deadline)
        plain.settimeout(deadline.left())
        with ssl.create_default_context().wrap_socket(plain, server_hostname=target.host) as wrapped:
            return _asked(wrapped, target, headers, body, settings, deadline)


def _connected(addresses: Sequence[Address], port: int, deadline: _Deadline) -> socket.socket:
    """A connection to the first address that takes it; to addresses, so that nobody is asked for the name again."""
    failure: OSError | None = None
    for address in addresses:
        try:
            return socket.create_connection((str(address), port), deadline.left())
        except OSError as error:
            failure = error
    raise failure or OSError


def _asked(
    connection: socket.socket,
    target: Target,
    headers: Mapping[str, str],
    body: bytes,
    settings: Settings,
    deadline: _Deadline,
) -> int:
    fields = {"Host": target.authority, **headers, "Content-Length": str(len(body)), "Connection": "close"}
    lines = [f"POST {target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    message = "\r\n".join(lines).encode("ascii") + body
    for start in range(0, len(message), _CHUNK_BYTES):
        connection.settimeout(deadline.left())
        connection.sendall(message[start : start + _CHUNK_BYTES])
    return _final_status(connection, settings.delivery_answer_limit_bytes, deadline)


def _final_status(connection: socket.socket, limit_bytes: int, deadline: _Deadline) -> int:
    """The status behind interim answers (1xx). Raises ValueError for what is no HTTP, or too long."""
    read = b""
    while True:
        found = _STATUS.match(read)
        if found and found[1][:1] != b"1":
            return int(found[1])
        if found and _HEAD_END in read:
            read = read.partition(_HEAD_END)[2]
            continue
        if len(read) > limit_bytes or (not found and len(read) >= 64):
            raise ValueError("no HTTP answer")
        connection.settimeout(deadline.left())
        more = connection.recv(min(_CHUNK_BYTES, limit_bytes))
        if not more:
            raise ValueError("the receiver hung up")
        read += more
