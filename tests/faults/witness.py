"""A reader of the log of its own, straight at Redis: it sees what was written before anything is trimmed."""

from __future__ import annotations

import threading
from typing import Any

import orjson
import redis

from tests.faults.journal import Told
from tests.faults.options import LOG
from tests.faults.world import World

_BLOCK_MS = 500
_COUNT = 1_000
_PAUSE_SECONDS = 0.02


class Witness:
    """Keeps every event that the log was seen to hold."""

    def __init__(self, world: World) -> None:
        self.seen: dict[int, Told] = {}
        self.bodies: dict[int, bytes] = {}
        """The newest events' bytes, for replays."""
        self._world = world
        self._last = "0"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="witness", daemon=True)

    def start(self) -> None:
        """Begins to read."""
        self._thread.start()

    def stop(self) -> None:
        """Reads what is left, then ends."""
        self._over.set()
        self._thread.join(10)

    def _run(self) -> None:
        client = self._world.raw()
        while not self._over.is_set():
            try:
                self._read(client)
            except redis.exceptions.RedisError:
                self._over.wait(_PAUSE_SECONDS)

    def _read(self, client: Any) -> None:
        raw = client.xread({LOG: self._last}, count=_COUNT, block=_BLOCK_MS)
        if not raw:
            info = client.xinfo_stream(LOG) if client.exists(LOG) else None
            newest = info["last-generated-id"].decode() if info else "0-0"
            if _order(newest) < _order(self._last):
                # Redis was emptied and its clock set back: what comes now has smaller ids.
                self._last = "0"
            return
        entries = raw[LOG.encode()][0] if isinstance(raw, dict) else raw[0][1]
        for entry_id, fields in entries:
            self._last = entry_id.decode()
            self.see(fields.get(b"e", b""))

    def see(self, body: bytes) -> None:
        """Keeps an event; what is none (poison) is passed over."""
        try:
            told = Told.from_fields(orjson.loads(body))
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        if isinstance(told.id, int) and told.id > 0:
            self.seen[told.id] = told
            self.bodies[told.id] = body
            if len(self.bodies) > 500:
                del self.bodies[next(iter(self.bodies))]


def _order(entry_id: str) -> tuple[int, int]:
    before, _, behind = entry_id.partition("-")
    return int(before), int(behind or 0)
