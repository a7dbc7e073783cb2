"""The audit trail: who did what, each entry chained to the one before it by a key of its own."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import hmac
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from pipeline.errors import StoreUnavailable
from pipeline.event import clean_text, encode
from pipeline.kept_secrets import AUDIT_KEY_FILE, kept
from pipeline.redaction import redactor_of
from pipeline.settings import Settings
from pipeline.store.engine import Store
from pipeline.store.models import audit_entries
from pipeline.store.moments import time_text

logger = logging.getLogger(__name__)
START = "0" * 64
"""What the first entry is chained to."""
DETAILS_LIMIT_BYTES = 16_384
_LOCK_NUMBER = 7_364_413
"""Any number, the same for all: writers add their entries one after the other."""
_PAGE_ROWS = 1_000
_LIMITS = {"actor": 128, "action": 64, "object_type": 64, "object_id": 255, "outcome": 16}


@dataclasses.dataclass(frozen=True)
class Entry:
    """One entry as it is stored; `details` is JSON, `hash` covers everything else, `previous_hash` included."""

    number: int
    at: datetime.datetime
    actor: str
    action: str
    object_type: str
    object_id: str | None
    outcome: str
    details: str
    previous_hash: str = START
    hash: str = ""

    def fields(self) -> dict[str, Any]:
        """The entry as JSON can hold it."""
        return {**dataclasses.asdict(self), "at": time_text(self.at), "details": orjson.loads(self.details)}


def key_of(settings: Settings) -> bytes:
    """The key of the chain: the setting, or one in the home folder that is made when missing. Raises SettingError."""
    if settings.audit_key:
        return settings.audit_key.encode()
    settings.home_path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return kept(settings.home_path / AUDIT_KEY_FILE).encode()


def hash_of(key: bytes, entry: Entry) -> str:
    """The hash that the entry must have: HMAC-SHA256 over its canonical bytes, the hash before it first."""
    row = [
        entry.previous_hash,
        entry.number,
        time_text(entry.at),
        entry.actor,
        entry.action,
        entry.object_type,
        entry.object_id,
        entry.outcome,
        entry.details,
    ]
    return hmac.new(key, orjson.dumps(row), hashlib.sha256).hexdigest()


def record(
    store: Store,
    actor: str,
    action: str,
    object_type: str,
    object_id: str | None,
    outcome: str,
    details: Mapping[str, Any] | None = None,
) -> int:
    """Adds an entry and gives its number. Texts are cut to their columns, secrets are taken out.

    Several writers may do so at once. Raises StoreUnavailable, and SettingError when there is no key.
    """
    key = key_of(store.settings)
    texts = {"actor": actor, "action": action, "object_type": object_type, "outcome": outcome, "object_id": object_id}
    redactor = redactor_of(store.settings)
    cut = {
        name: None if value is None else clean_text(redactor.text(value), _LIMITS[name])
        for name, value in texts.items()
    }
    told = redactor.json(encode(dict(details or {})))
    if len(told) > DETAILS_LIMIT_BYTES:
        told = encode({"cut": True, "bytes": len(told)})
    entry = _added(store, key, Entry(0, datetime.datetime.now(datetime.UTC), **cut, details=told.decode()))  # type: ignore[arg-type]
    # The log is another place: a head that stands there cannot be cut off unseen.
    logger.info("audit entry %d %s", entry.number, entry.hash)
    return entry.number


def _added(store: Store, key: bytes, draft: Entry) -> Entry:
    try:
        with store.write() as connection:
            head = _locked_head(connection)
            number, previous = (head[0] + 1, head[1]) if head else (1, START)
            draft = dataclasses.replace(draft, number=number, previous_hash=previous)
            entry = dataclasses.replace(draft, hash=hash_of(key, draft))
            connection.execute(insert(audit_entries).values(**dataclasses.asdict(entry)))
    except (ProgrammingError, IntegrityError) as error:
        raise StoreUnavailable(f"the audit trail cannot be written: {type(error).__name__}") from error
    return entry


def _locked_head(connection: Connection) -> tuple[int, str] | None:
    """The newest entry's number and hash; nobody else adds one until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK_NUMBER})
    return _head(connection)


def _head(connection: Connection) -> tuple[int, str] | None:
    columns = audit_entries.c
    row = connection.execute(select(columns.number, columns.hash).order_by(columns.number.desc()).limit(1)).first()
    return None if row is None else (int(row[0]), str(row[1]))


def head(store: Store) -> tuple[int, str] | None:
    """The newest entry's number and hash, None when there is none. Raises StoreUnavailable."""
    with store.read() as connection:
        return _head(connection)


def entries(store: Store, after: int = 0, limit: int | None = None) -> Iterator[Entry]:
    """The entries behind `after`, ascending, at most `limit`, asked for a page at a time. Raises StoreUnavailable."""
    left = limit
    while left is None or left > 0:
        rows = _PAGE_ROWS if left is None else min(_PAGE_ROWS, left)
        statement = select(audit_entries).where(audit_entries.c.number > after).order_by(audit_entries.c.number)
        with store.read() as connection:
            page = [Entry(**row) for row in connection.execute(statement.limit(rows)).mappings()]
        yield from page
        if len(page) < rows:
            return
        after = page[-1].number
        left = None if left is None else left - len(page)


def newest(store: Store, limit: int) -> list[Entry]:
    """The newest `limit` entries, the newest first. Raises StoreUnavailable."""
    statement = select(audit_entries).order_by(audit_entries.c.number.desc()).limit(limit)
    with store.read() as connection:
        return [Entry(**row) for row in connection.execute(statement).mappings()]
