"""The home folder: room on its disk, secrets that only their owner may read, events that wait for Redis, documents."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

from pipeline.errors import SpanfeedError
from tasks import documents as index
from web.doctor.lines import Line, bytes_text, fault, ok, warning
from web.doctor.patient import Patient

_ROOM_WARNING_BYTES = 1024**3
_ROOM_FAULT_BYTES = 100 * 1024**2
_SECRETS = (
    "api_key",
    "key_pepper",
    "secret_key",
    "audit_key",
    "audit_anchors",
    "flower_password",
    "redis/password",
    "redis/redis.conf",
)
_PAGE = Path(__file__).parents[1] / "static" / "app" / "index.html"


def disk(patient: Patient) -> list[Line]:
    """There is room for the database, the documents and the logs."""
    home = patient.settings.home_path
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    found, mend = f"{bytes_text(free)} free for {home}", "make room, or move SPANFEED_HOME"
    if free < _ROOM_FAULT_BYTES:
        return [fault("disk", found, mend)]
    if free < _ROOM_WARNING_BYTES:
        return [warning("disk", found, mend)]
    return [ok("disk", found)]


def secrets(patient: Patient) -> list[Line]:
    """Nobody else may read the keys in the home folder."""
    home = patient.settings.home_path
    files = [home / name for name in _SECRETS if (home / name).exists()]
    # A file's mode matters only where others may enter the folder, but a copy of the folder keeps it.
    wide = [file for file in files if stat.S_IMODE(file.stat().st_mode) & 0o077]
    if wide:
        names = " ".join(str(file) for file in wide)
        return [fault("keys", f"others may read {names}", f"chmod 600 {names}; then change these secrets")]
    return [ok("keys", f"{len(files)} files, readable by their owner alone" if files else "none kept here")]


def spool(patient: Patient) -> list[Line]:
    """No events wait in files for a Redis that was away."""
    folder = patient.settings.home_path / "spool"
    files = [file for file in folder.rglob("*") if file.is_file() and file.stat().st_size] if folder.is_dir() else []
    if files:
        size = bytes_text(sum(file.stat().st_size for file in files))
        found = f"{len(files)} files with {size} of events wait for Redis in {folder}"
        return [warning("spool", found, "they are sent when Redis is back and the process that wrote them runs")]
    return [ok("spool", "no events wait for Redis")]


def documents(patient: Patient) -> list[Line]:
    """The document index can be read."""
    try:
        # Asking for the list would make the folder.
        found = index.listed(patient.settings) if patient.settings.home_path.exists() else []
    except SpanfeedError as error:
        return [fault("documents", str(error), "take the file away and add the documents again")]
    count = sum(collection.documents for collection in found)
    if not count:
        return [warning("documents", "there are none, so every question is refused", "spanfeed documents add PATH")]
    return [ok("documents", f"{count} in {len(found)} collections")]


def page(_: Patient) -> list[Line]:
    """The chat page is built."""
    if not _PAGE.exists():
        return [warning("page", "the chat page is not built: / replies 404", "make page")]
    return [ok("page", "built")]
