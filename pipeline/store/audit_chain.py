"""Verifying the audit trail, and its anchors: heads that were written down elsewhere, so that a cut-off end shows."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import hashlib
import hmac
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from pipeline.errors import SettingError
from pipeline.event import encode
from pipeline.settings import Settings
from pipeline.store import audit
from pipeline.store.engine import Store
from pipeline.store.moments import time_text

logger = logging.getLogger(__name__)
ANCHORS_FILE = "audit_anchors"
_LINE_LIMIT_BYTES = 1_024


class Fault(enum.StrEnum):
    """What is wrong with the trail."""

    CHANGED = "changed"
    MISSING = "missing"
    REORDERED = "reordered"
    CUT_OFF = "cut-off"
    REWRITTEN = "rewritten"
    ANCHOR = "anchor"


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and with which entry (0: with a line of the anchors' file)."""

    fault: Fault
    number: int
    text: str


class Anchor(msgspec.Struct, frozen=True):
    """A head that was written down. `seal` is made with the key, so that nobody else can write one."""

    at: str
    number: int
    hash: str
    seal: str = ""

    def sealed(self, key: bytes) -> str:
        """The seal that it must have."""
        row = encode(["anchor", self.at, self.number, self.hash])
        return hmac.new(key, row, hashlib.sha256).hexdigest()


def anchors_path(settings: Settings) -> Path:
    """The file in the home folder that anchors are written to."""
    return settings.home_path / ANCHORS_FILE


def anchor(store: Store) -> Anchor | None:
    """Writes the trail's head into the log and behind the anchors' file, unless it stands there already.

    Raises StoreUnavailable, and SettingError when the file cannot be written.
    """
    head = audit.head(store)
    path = anchors_path(store.settings)
    if head is None:
        return None
    logger.info("audit anchor %d %s", *head)
    try:
        last = _last_line(path)
        if last is not None and (last.number, last.hash) == head:
            return last
        key = audit.key_of(store.settings)
        made = Anchor(time_text(datetime.datetime.now(datetime.UTC)), *head)
        made = msgspec.structs.replace(made, seal=made.sealed(key))
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(msgspec.json.encode(made) + b"\n")
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        raise SettingError(f"{path} cannot be written: {error.strerror}") from None
    return made


def _last_line(path: Path) -> Anchor | None:
    if not path.exists():
        return None
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LINE_LIMIT_BYTES))
        lines = file.read().splitlines()
    return _read(lines[-1]) if lines else None


def _read(line: bytes) -> Anchor | None:
    try:
        return msgspec.json.decode(line, type=Anchor)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def verify(store: Store, anchors: Path | None = None) -> Iterator[Finding]:
    """Everything that is wrong with the trail, in the order of its entries, then what the anchors tell.

    Memory does not grow with the trail, only with the anchors. Raises StoreUnavailable, SettingError.
    """
    key = audit.key_of(store.settings)
    known: dict[int, str] = {}
    for number, line in enumerate(_lines(anchors or anchors_path(store.settings)), start=1):
        found = _read(line)
        if found is None or not hmac.compare_digest(found.seal, found.sealed(key)):
            yield Finding(Fault.ANCHOR, 0, f"line {number} of the anchors' file was not written with this key")
        else:
            known[found.number] = found.hash
    last, previous = 0, audit.START
    for entry in audit.entries(store):
        yield from _judged(key, entry, last, previous)
        anchored = known.pop(entry.number, entry.hash)
        if anchored != entry.hash:
            yield Finding(Fault.REWRITTEN, entry.number, "it has another hash than when it was anchored")
        last, previous = entry.number, entry.hash
    for number in sorted(known):
        if number > last:
            yield Finding(Fault.CUT_OFF, number, f"it was anchored, but the trail ends at {last}")


def _judged(key: bytes, entry: audit.Entry, last: int, previous: str) -> Iterator[Finding]:
    if entry.number != last + 1:
        yield Finding(Fault.MISSING, last + 1, f"the trail goes on with {entry.number} behind {last}")
    elif entry.previous_hash != previous:
        yield Finding(Fault.REORDERED, entry.number, "it is not chained to the entry before it")
    if not hmac.compare_digest(entry.hash, audit.hash_of(key, entry)):
        yield Finding(Fault.CHANGED, entry.number, "it is not what was written, or was written with another key")


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except FileNotFoundError:
        return
    except OSError as error:
        raise SettingError(f"{path} cannot be read: {error.strerror}") from None
