"""Gathering the evidence: the database by plain SQL, Redis's streams raw."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import psycopg

from tests.faults.journal import MessageRow, Told
from tests.faults.options import GROUP, LOG
from tests.faults.witness import Witness
from tests.faults.world import World

_EVENTS = (
    "SELECT id, seq, session_id, message_id, span_id, event_type, event_status, attempt, reason, event_data"
    " FROM events ORDER BY id"
)
_MESSAGES = "SELECT session_id, message_id, role, status, reason, content, partial FROM chat_messages ORDER BY id"
_UNFINISHED = "SELECT count(*) FROM chat_messages WHERE role = 'user' AND status = 'accepted'"
_DEAD = "SELECT entry_id FROM dead_letters"
_NEWEST = "SELECT session_id, max(id) FROM events WHERE seq IS NOT NULL GROUP BY session_id"
_TOLD = [field.name for field in dataclasses.fields(Told) if field.name != "mark"]
_ROW = [field.name for field in dataclasses.fields(MessageRow)]


class Database:
    """The database as anybody may read it, past the proxy and past the product."""

    def __init__(self, world: World) -> None:
        self._world = world

    @contextlib.contextmanager
    def _asking(self) -> Iterator[Any]:
        if self._world.raw_database:
            with psycopg.connect(self._world.raw_database, connect_timeout=5, autocommit=True) as connection:
                yield connection
        else:
            with contextlib.closing(sqlite3.connect(self._world.home / "spanfeed.db", timeout=20)) as connection:
                yield connection

    def _all(self, statement: str) -> list[tuple[Any, ...]]:
        with self._asking() as connection:
            return [tuple(row) for row in connection.execute(statement).fetchall()]

    def events(self) -> list[Told]:
        """Every row of `events`."""
        found = []
        for *fields, data in self._all(_EVENTS):
            data = json.loads(data) if isinstance(data, str) else data
            mark = str(data.get("mark", "")) if isinstance(data, dict) else ""
            found.append(Told(**dict(zip(_TOLD, fields, strict=True)), mark=mark))
        return found

    def messages(self) -> list[MessageRow]:
        """Every row of the conversations."""
        return [MessageRow(**dict(zip(_ROW, fields, strict=True))) for fields in self._all(_MESSAGES)]

    def unfinished(self) -> int:
        """How many messages have no ending yet."""
        return int(self._all(_UNFINISHED)[0][0])

    def dead_letters(self) -> list[str]:
        """The entry ids of the dead letters."""
        return [str(entry_id) for (entry_id,) in self._all(_DEAD)]

    def newest(self) -> dict[str, int]:
        """The newest stored id of each session."""
        return {str(session_id): int(newest) for session_id, newest in self._all(_NEWEST)}


def all_recorded(world: World) -> bool:
    """Whether every entry of the log was given to a recorder, and acknowledged."""
    client = world.raw()
    if not client.exists(LOG):
        return True
    groups = [group for group in client.xinfo_groups(LOG) if group["name"] == GROUP.encode()]
    newest = client.xrevrange(LOG, "+", "-", count=1)
    if not groups:
        return False
    if not newest:
        return bool(groups[0]["pending"] == 0)
    return bool(groups[0]["pending"] == 0 and groups[0]["last-delivered-id"] == newest[0][0])


def sweep_streams(world: World, witness: Witness) -> None:
    """Shows the witness what the log and the sessions' streams still hold."""
    client = world.raw()
    for name in [LOG.encode(), *client.scan_iter("sf:{0}:session:*", count=500)]:
        for _, fields in client.xrange(name):
            witness.see(fields.get(b"e", b""))
