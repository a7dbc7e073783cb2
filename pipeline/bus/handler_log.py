"""Reading the log for durable handlers: a consumer group for each, with a cursor of its own, and its dead letters."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import redis

from pipeline.bus import keys
from pipeline.bus.log import Entry, entries_of, first_reply, place_of
from pipeline.bus.redis import asking
from pipeline.errors import BusRefused


@dataclasses.dataclass(frozen=True)
class HandlerFacts:
    """How a durable handler stands: events that wait for it, that it was given and has not handled, that it gave up.

    `lost` says that the log has let events go before it was given them.
    """

    name: str
    waiting: int
    pending: int
    dead: int
    lost: bool


class HandlerLog:
    """The log as durable handlers read it. Methods raise BusUnavailable."""

    def __init__(self, client: redis.Redis, dead_limit: int) -> None:
        self._client = client
        self._dead_limit = dead_limit

    def join(self, name: str, start: str = "$") -> None:
        """Makes the handler's cursor where it is missing: at the log's end, or at `start`."""
        try:
            asking(lambda: self._client.xgroup_create(keys.LOG, keys.handler_group(name), id=start, mkstream=True))
        except BusRefused as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def _joined(self, name: str, call: Callable[[], Any]) -> Any:
        try:
            return asking(call)
        except BusRefused as error:
            if not str(error).startswith(("NOGROUP", "ERR no such key", "no such key")):
                raise
        # Redis has lost its data: what is in the log now came afterwards.
        self.join(name, "0")
        return asking(call)

    def read_new(self, name: str, consumer: str, limit: int, wait_ms: int) -> list[Entry]:
        """At most `limit` entries that this handler was not given yet; waits up to `wait_ms` for the first."""
        group = keys.handler_group(name)
        return first_reply(
            self._joined(
                name,
                lambda: self._client.xreadgroup(group, consumer, {keys.LOG: ">"}, count=limit, block=wait_ms),
            )
        )

    def claim(self, name: str, consumer: str, idle_ms: int, limit: int) -> list[tuple[Entry, int]]:
        """Takes over what another worker was given and left; with how often it was given out."""
        group = keys.handler_group(name)
        reply = self._joined(
            name, lambda: self._client.xautoclaim(keys.LOG, group, consumer, idle_ms, start_id="0-0", count=limit)
        )
        return [(entry, self._given_out(group, entry.entry_id)) for entry in entries_of(reply[1])]

    def _given_out(self, group: str, entry_id: str) -> int:
        found = asking(lambda: self._client.xpending_range(keys.LOG, group, entry_id, entry_id, 1))
        return int(found[0]["times_delivered"]) if found else 1

    def again(self, name: str, consumer: str, entry_id: str) -> None:
        """Says that this worker tries the entry again: counts the try, and keeps others from taking it over."""
        group = keys.handler_group(name)
        self._joined(name, lambda: self._client.xclaim(keys.LOG, group, consumer, 0, [entry_id]))

    def acknowledge(self, name: str, *entry_ids: str) -> None:
        """Says that the entries are handled."""
        if entry_ids:
            asking(lambda: self._client.xack(keys.LOG, keys.handler_group(name), *entry_ids))

    def bury(self, name: str, entry: Entry, reason: str) -> None:
        """Gives the entry up: it is put with the handler's dead letters, of which the newest are kept."""

        def act() -> Any:
            with self._client.pipeline(transaction=True) as pipe:
                fields: Any = {"id": entry.entry_id, "reason": reason, "e": entry.wire or b""}
                pipe.xadd(keys.handler_dead(name), fields, maxlen=self._dead_limit, approximate=True)
                pipe.xack(keys.LOG, keys.handler_group(name), entry.entry_id)
                return pipe.execute()

        asking(act)

    def facts(self) -> list[HandlerFacts]:
        """All durable handlers that have a cursor, by name."""
        if not asking(lambda: self._client.exists(keys.LOG)):
            return []
        lost = asking(lambda: self._client.smembers(keys.HANDLERS_LOST))
        found = []
        for group in asking(lambda: self._client.xinfo_groups(keys.LOG)):
            name = keys.handler_name(group["name"].decode())
            if name is not None:
                dead = int(asking(lambda key=keys.handler_dead(name): self._client.xlen(key)))  # type: ignore[misc]
                waiting = self._waiting(group)
                found.append(HandlerFacts(name, waiting, int(group["pending"]), dead, name.encode() in lost))
        return sorted(found, key=lambda one: one.name)

    def _waiting(self, group: dict[str, Any]) -> int:
        # Redis tells the lag since version 7, and not when it cannot know it.
        if group.get("lag") is not None:
            return int(group["lag"])
        number, place = place_of(group["last-delivered-id"])
        return len(asking(lambda: self._client.xrange(keys.LOG, f"({number}-{place}", "+", count=100_000)))

    def forget(self, name: str) -> bool:
        """Takes the handler's cursor and dead letters away, so that the log keeps nothing for it; False if unknown."""
        try:
            gone = asking(lambda: self._client.xgroup_destroy(keys.LOG, keys.handler_group(name)))
        except BusRefused:
            gone = 0
        asking(lambda: self._client.delete(keys.handler_dead(name)))
        asking(lambda: self._client.srem(keys.HANDLERS_LOST, name))
        return bool(gone)

    def dead(self, name: str, limit: int) -> Sequence[tuple[str, str]]:
        """The newest dead letters: the entry's id and why it was given up."""
        raw = asking(lambda: self._client.xrevrange(keys.handler_dead(name), count=limit))
        return [(fields[b"id"].decode(), fields[b"reason"].decode("utf-8", "replace")) for _, fields in raw]
