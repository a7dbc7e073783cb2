"""Reading the streams: the durable log with its consumer group, and a session's own stream."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import redis

from pipeline.bus import keys
from pipeline.bus.redis import asking
from pipeline.errors import BusRefused, BusUnavailable
from pipeline.event import Event
from pipeline.failpoints import Failpoints

logger = logging.getLogger(__name__)
_JOINS_LIMIT = 3
_TRIM_LIMIT_ENTRIES = 100_000
"""Dropped at once; Redis alone would drop 10,000, which a busy recorder stores in less than the second in between."""
_FEW_ENTRIES = 20
"""Where a test of faults has the log trimmed by its length."""


class Entry(NamedTuple):
    """An entry of the log: its stream id and its bytes, None where the field is missing."""

    entry_id: str
    wire: bytes | None


def _id(entry_id: bytes) -> int:
    return int(entry_id.partition(b"-")[0])


def place_of(entry_id: bytes) -> tuple[int, int]:
    """An entry's id as numbers."""
    number, _, place = entry_id.partition(b"-")
    return int(number), int(place)


def _lowest(group: Any, pending: Any) -> tuple[int, int]:
    """The lowest entry that a group has not acknowledged."""
    delivered = place_of(group["last-delivered-id"])
    # The very next place: whoever writes past the scripts may write several entries under one number.
    lowest = (delivered[0], delivered[1] + 1)
    return min(lowest, place_of(pending["min"])) if pending["pending"] else lowest


def entries_of(raw: Any) -> list[Entry]:
    """Entries as Redis tells them."""
    # A trimmed entry that is still pending comes back with no fields.
    return [Entry(entry_id.decode(), (fields or {}).get(b"e")) for entry_id, fields in raw]


def first_reply(raw: Any) -> list[Entry]:
    """The entries of the one stream that was asked for."""
    if not raw:
        return []
    streams = list(raw.values()) if isinstance(raw, dict) else [pairs for _, pairs in raw]
    # RESP3 wraps a stream's entries in one more list.
    return entries_of(streams[0][0] if isinstance(raw, dict) else streams[0])


class Log:
    """The log and the sessions' streams."""

    def __init__(
        self, client: redis.Redis, failpoints: Failpoints = Failpoints(""), handlers_limit_events: int = 0
    ) -> None:
        self._client = client
        self._handlers_limit_events = handlers_limit_events
        self._failpoints = failpoints
        self.newly_lost: list[str] = []
        """Durable handlers for which this process has let events go, until somebody has told of them."""

    def read_stream(self, name: str, after: int, upto: int, limit: int) -> list[Event]:
        """At most `limit` events of the stream `name` behind `after` up to `upto`, oldest first."""
        raw = asking(lambda: self._client.xrange(name, f"({after}-0", f"{upto}-0", count=limit))
        return [Event.from_wire(fields[b"e"]) for _, fields in raw]

    def first_id(self) -> int | None:
        """The id of the log's oldest entry, None for an empty one."""
        raw = asking(lambda: self._client.xrange(keys.LOG, "-", "+", count=1))
        return _id(raw[0][0]) if raw else None

    def read_log(self, after: int, before: int, limit: int) -> list[Entry]:
        """At most `limit` entries of the log between two ids, both exclusive."""
        return entries_of(asking(lambda: self._client.xrange(keys.LOG, f"({after}-0", f"({before}-0", count=limit)))

    def join(self) -> None:
        """Makes the recorder's group, from the log's beginning, where it is missing."""
        try:
            asking(lambda: self._client.xgroup_create(keys.LOG, keys.RECORDERS, id="0", mkstream=True))
        except BusRefused as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def _joined(self, call: Callable[[], Any]) -> Any:
        """What `call` gives; a group that was lost (Redis lost its data) is made again first, also when just made."""
        for _ in range(_JOINS_LIMIT):
            try:
                return asking(call)
            except BusRefused as error:
                if not str(error).startswith(("NOGROUP", "ERR no such key", "no such key")):
                    raise
            self.join()
        raise BusUnavailable("the log is lost again as soon as it is made")

    def read_new(self, consumer: str, limit: int, wait_ms: int) -> list[Entry]:
        """At most `limit` entries that no consumer was given yet; waits up to `wait_ms` for the first.

        `wait_ms` must be below the client's timeout.
        """
        return self._read(consumer, ">", limit, wait_ms)

    def read_own(self, consumer: str, after: str, limit: int) -> list[Entry]:
        """Entries that this consumer was given and has not acknowledged: those of its life before a restart."""
        return self._read(consumer, after, limit, None)

    def _read(self, consumer: str, cursor: str, limit: int, wait_ms: int | None) -> list[Entry]:
        raw = self._joined(
            lambda: self._client.xreadgroup(
                keys.RECORDERS, consumer, {keys.LOG: cursor}, count=limit, block=wait_ms or None
            )
        )
        return first_reply(raw)

    def claim(self, consumer: str, idle_ms: int, limit: int) -> list[Entry]:
        """Takes over entries that another consumer was given and left for `idle_ms`."""
        reply = self._joined(
            lambda: self._client.xautoclaim(keys.LOG, keys.RECORDERS, consumer, idle_ms, start_id="0-0", count=limit)
        )
        return entries_of(reply[1])

    def acknowledge(self, entries: Sequence[Entry | str]) -> None:
        """Says that the entries, or those with these ids, are stored."""
        ids = [entry if isinstance(entry, str) else entry.entry_id for entry in entries]
        if ids:
            asking(lambda: self._client.xack(keys.LOG, keys.RECORDERS, *ids))

    def trim(self) -> int:
        """Drops what is stored: everything below the lowest entry that is not. Never by length.

        What durable handlers have not handled stays, too, as far as their limit goes.

        How far was delivered and what is pending are asked at one moment: a group that was lost in between, and made
        again by another recorder, would have nothing pending.
        """
        if self._failpoints.armed("log.trim_by_length"):
            return int(asking(lambda: self._client.xtrim(keys.LOG, maxlen=_FEW_ENTRIES, approximate=False)))
        groups, pending = asking(self._group_and_pending)
        if isinstance(groups, Exception) or isinstance(pending, Exception):
            # No log, or no group: nothing is known to be stored.
            return 0
        recorders = next(group for group in groups if group["name"] == keys.RECORDERS.encode())
        lowest = _lowest(recorders, pending)
        held = self._held(groups, lowest, int(recorders["pending"]) + int(recorders.get("lag") or 0))
        minid = f"{held[0]}-{held[1]}"
        trimmed = asking(lambda: self._client.xtrim(keys.LOG, minid=minid, approximate=True, limit=_TRIM_LIMIT_ENTRIES))
        return int(trimmed)

    def _held(self, groups: list[Any], lowest: tuple[int, int], unstored: int) -> tuple[int, int]:
        """`lowest`, or the place from which a durable handler must still read.

        They may hold so many stored entries. Above that the older half of what they hold is let go, by id, which is
        time: a length would have to be known at the very moment of the trimming.
        """
        behind: dict[str, tuple[int, int]] = {}
        for group in groups:
            name = keys.handler_name(group["name"].decode())
            if name is not None:
                group_name = keys.handler_group(name)
                pending = asking(lambda asked=group_name: self._client.xpending(keys.LOG, asked))  # type: ignore[misc]
                place = _lowest(group, pending)
                if place < lowest:
                    behind[name] = place
        if not behind:
            return lowest
        held = min(behind.values())
        if int(asking(lambda: self._client.xlen(keys.LOG))) - unstored <= self._handlers_limit_events:
            return held
        first = max(self.first_id() or 0, held[0])
        cut = (first + (lowest[0] - first + 1) // 2, 0)
        for name in sorted(name for name, place in behind.items() if place < cut):
            if asking(lambda lost=name: self._client.sadd(keys.HANDLERS_LOST, lost)):  # type: ignore[misc]
                logger.error("durable handler %s is too far behind: the log lets events go that it has not had", name)
                self.newly_lost.append(name)
        return min(cut, lowest)

    def _group_and_pending(self) -> list[Any]:
        with self._client.pipeline(transaction=True) as pipe:
            pipe.xinfo_groups(keys.LOG)
            pipe.xpending(keys.LOG, keys.RECORDERS)
            return list(pipe.execute(raise_on_error=False))

    def newest_large(self) -> int:
        """The id of the newest event that was large (`LARGE_EVENT_BYTES`), 0 when there was none."""
        return int(asking(lambda: self._client.hget(keys.CLOCK, "large")) or 0)

    def dropped(self) -> int:
        """How many events have been dropped because the log was full."""
        return int(asking(lambda: self._client.hget(keys.CLOCK, "dropped")) or 0)

    def length(self) -> int:
        """How many entries the log has, stored or not."""
        return int(asking(lambda: self._client.xlen(keys.LOG)))

    def raise_alarm(self, note: str, key: str = keys.ALARM) -> bool:
        """Says that it was told that recorders are behind; False when it was said before. `note` comes back later.

        With another `key`: that something else was told.
        """
        return bool(asking(lambda: self._client.set(key, note, nx=True)))

    def clear_alarm(self, key: str = keys.ALARM) -> str | None:
        """Takes that back and gives the note; None when nothing was said."""
        note = asking(lambda: self._client.getdel(key))
        return None if note is None else note.decode()

    def stored(self) -> int | None:
        """How many entries recorders have stored since the log began; None where Redis does not count them."""
        for group in self._joined(lambda: self._client.xinfo_groups(keys.LOG)):
            if group["name"] == keys.RECORDERS.encode() and group.get("entries-read") is not None:
                return int(group["entries-read"]) - int(group["pending"])
        return None

    def backlog(self) -> int:
        """How many entries wait to be stored, as far as Redis can tell."""
        groups = self._joined(lambda: self._client.xinfo_groups(keys.LOG))
        for group in groups:
            if group["name"] == keys.RECORDERS.encode() and group["lag"] is not None:
                return int(group["lag"]) + int(group["pending"])
        return int(asking(lambda: self._client.xlen(keys.LOG)))
