"""Questions to Redis that change nothing: what it is, how it keeps data, what waits in the log, what is overdue."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import time
from typing import Any

from pipeline.bus import keys
from pipeline.bus.handler_log import HandlerFacts, HandlerLog
from pipeline.bus.redis import asking, connect
from pipeline.errors import BusRefused
from pipeline.event import EPOCH_OFFSET_SECONDS

_PROBE = "return 1"


@dataclasses.dataclass(frozen=True)
class ServerFacts:
    """What INFO says. Sizes in bytes; `memory_limit_bytes` is 0 without a limit."""

    name: str
    version: str
    is_replica: bool
    keeps_log: bool
    log_writes: bool
    log_rewrites: bool
    memory_bytes: int
    memory_limit_bytes: int
    eviction: str

    @property
    def version_numbers(self) -> tuple[int, ...]:
        """The version as numbers, to be compared."""
        return tuple(int(number) for number in re.findall(r"\d+", self.version)[:2])


@dataclasses.dataclass(frozen=True)
class Consumer:
    """A recorder, or one that was: how long ago it read, and how many entries it has not acknowledged."""

    name: str
    idle_ms: int
    pending: int


@dataclasses.dataclass(frozen=True)
class LogFacts:
    """The event log. `unstored_from` is the id of the oldest event that is not stored, None when all are.

    `consumers` is None when no recorder ever read. `waiting` counts what is not stored.
    """

    newest_id: int
    waiting: int
    unstored_from: int | None
    consumers: tuple[Consumer, ...] | None


class Inspection:
    """Asks one Redis; an answer is waited for at most `timeout_seconds`.

    Methods raise BusUnavailable, or BusRefused where the user may not ask that.
    """

    def __init__(self, redis_url: str, timeout_seconds: float = 2.0) -> None:
        self._client = connect(redis_url, timeout_seconds, timeout_seconds)

    @property
    def address(self) -> str:
        """Where the server is: host and port, or the socket's path; without its password."""
        options = self._client.connection_pool.connection_kwargs
        return str(options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}")

    def server(self) -> ServerFacts:
        """What the server is and how it keeps data."""
        info: dict[str, Any] = asking(self._client.info)
        valkey = info.get("server_name") == "valkey"
        return ServerFacts(
            name="Valkey" if valkey else "Redis",
            version=str(info.get("valkey_version" if valkey else "redis_version", "0")),
            is_replica=info.get("role") == "slave",
            keeps_log=bool(info.get("aof_enabled")),
            log_writes=info.get("aof_last_write_status", "ok") == "ok",
            log_rewrites=info.get("aof_last_bgrewrite_status", "ok") == "ok",
            memory_bytes=int(info.get("used_memory", 0)),
            memory_limit_bytes=int(info.get("maxmemory", 0)),
            eviction=str(info.get("maxmemory_policy", "")),
        )

    def configured(self, name: str) -> str | None:
        """A line of the server's configuration; None where it may not be asked (many hosted servers)."""
        try:
            found: dict[str, str] = asking(lambda: self._client.config_get(name))
        except BusRefused:
            return None
        return found.get(name)

    def clock_ahead_seconds(self) -> float:
        """How far the server's clock is ahead of this machine's (negative: behind)."""
        before = time.time()
        seconds, micros = asking(self._client.time)
        return float(seconds + micros / 1e6 - (before + time.time()) / 2)

    def now_id(self) -> int:
        """The id that an event of this moment would have."""
        seconds, micros = asking(self._client.time)
        return int((seconds - EPOCH_OFFSET_SECONDS) * 1_000_000 + micros)

    def run_script(self) -> None:
        """Returns when scripts may be run, by text and by digest."""
        asking(lambda: self._client.eval(_PROBE, 0))
        digest = hashlib.sha1(_PROBE.encode(), usedforsecurity=False).hexdigest()
        asking(lambda: self._client.evalsha(digest, 0))

    def log(self) -> LogFacts:
        """What lies in the log and who reads it."""
        newest = int(asking(lambda: self._client.hget(keys.CLOCK, "last")) or 0)
        if not asking(lambda: self._client.exists(keys.LOG)):
            return LogFacts(newest, 0, None, None)
        groups = asking(lambda: self._client.xinfo_groups(keys.LOG))
        group = next((g for g in groups if g["name"] == keys.RECORDERS.encode()), None)
        length = int(asking(lambda: self._client.xlen(keys.LOG)))
        if group is None:
            return LogFacts(newest, length, self._first_id("-"), None)
        pending = asking(lambda: self._client.xpending(keys.LOG, keys.RECORDERS))
        # Redis tells the lag since version 7, and not when it cannot know it.
        waiting = int(pending["pending"]) + (length if group.get("lag") is None else int(group["lag"]))
        behind = f"({group['last-delivered-id'].decode()}"
        unstored = _id(pending["min"]) if pending["pending"] else self._first_id(behind)
        consumers = asking(lambda: self._client.xinfo_consumers(keys.LOG, keys.RECORDERS))
        found = tuple(Consumer(c["name"].decode(), int(c["idle"]), int(c["pending"])) for c in consumers)
        return LogFacts(newest, waiting if unstored is not None else 0, unstored, found)

    def _first_id(self, start: str) -> int | None:
        raw = asking(lambda: self._client.xrange(keys.LOG, start, "+", count=1))
        return _id(raw[0][0]) if raw else None

    def handlers(self) -> list[HandlerFacts]:
        """The durable handlers that have a cursor."""
        return HandlerLog(self._client, 0).facts()

    def recording(self, within_seconds: float) -> list[str]:
        """The recorders that have said within that time that they live, by their consumers' names."""
        since = self.now_id() - int(within_seconds * 1_000_000)
        found = asking(lambda: self._client.zrangebyscore(keys.RECORDING, since, "+inf"))
        return [name.decode() for name in found]

    def overdue(self, before_id: int) -> tuple[int, int]:
        """How many runs the watchdog should have looked after before that moment, and since when the first waits."""
        count = int(asking(lambda: self._client.zcount(keys.DUE, "-inf", f"({before_id}")))
        first = asking(lambda: self._client.zrange(keys.DUE, 0, 0, withscores=True))
        return count, int(first[0][1]) if count and first else 0

    def close(self) -> None:
        """Ends the connections."""
        self._client.close()


def _id(entry_id: bytes) -> int:
    return int(entry_id.partition(b"-")[0])
