"""The spool: a file in which a process keeps, in order, what Redis could not take, until it is sent.

A file begins with a header of fixed length that says up to where it was sent and what was lost of it; then comes a
line an entry: a word, when it happened (Unix microseconds), and the entry's own bytes. The file is there only while
something waits in it, and its owner holds a lock on it (flock) that ends with the owner, however it ends. What the
kernel was given survives the process, not the machine: nothing is synced to the disk.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import secrets
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from pipeline.event import encode
from pipeline.spool_lines import PROGRESS, UNREADABLE, Entry, Losses, parse

logger = logging.getLogger(__name__)
_HEADER_BYTES = 512
_READ_BYTES = 4_096
_ROOM_SHARE = 8
"""A full spool drops an eighth at once: each dropping writes the file anew."""


class Spool:
    """The spool of one process, or one that a dead process has left. Safe to use from several threads.

    Never raises for a file that cannot be written: what cannot be kept is counted as lost. `pending` says whether
    something waits: entries, or losses that nobody was told of.
    """

    def __init__(self, folder: Path, limit_bytes: int, files_limit: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._files_limit = files_limit
        self._lock = threading.Lock()
        """Guards the file and all that is known about it."""
        self._file = -1
        self.name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._head = self._end = _HEADER_BYTES
        self._in_flight_bytes = 0
        self._losses = Losses()
        self._troubled = False
        self.pending = False

    @property
    def _path(self) -> Path:
        return self._folder / f"{self.name}.spool"

    def keep(self, entry: Entry) -> bool:
        """Puts an entry behind the others; False when it is lost."""
        line = entry.line()
        with self._lock:
            self.pending = True
            try:
                self._make_room(len(line))
                if os.pwrite(self._file, line, self._end) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError as error:
                self._trouble(error)
                self._losses.add(entry.word, entry.at_us)
                self._write_header()
                return False
            self._end += len(line)
            self._troubled = False
            return True

    def head(self) -> Entry | None:
        """The oldest entry; it stays, and is not dropped, until `sent` is called. None when there is none."""
        with self._lock:
            while self._head < self._end:
                entry = self._read(self._head)
                if entry is not None:
                    self._in_flight_bytes = entry.size_bytes
                    return entry
                # The rest may be sound.
                self._losses.add(UNREADABLE, time.time_ns() // 1000)
                self._head += self._line_length(self._head)
            self._finish()
            return None

    def sent(self, lost: bool = False) -> None:
        """Takes the entry that `head` gave out; `lost`: it could not be sent and is counted."""
        with self._lock:
            entry = self._read(self._head) if lost else None
            if entry is not None:
                self._losses.add(entry.word, entry.at_us)
            self._head += self._in_flight_bytes
            self._in_flight_bytes = 0
            self._write_header()
            self._finish()

    def losses(self) -> Losses:
        """What was lost so far and not told."""
        with self._lock:
            return self._losses.copy()

    def told(self, losses: Losses) -> None:
        """Forgets losses that were told."""
        with self._lock:
            self._losses.take_out(losses)
            self._write_header()
            self._finish()

    def let_go(self) -> None:
        """Closes the file and leaves it to whoever finds it; without a lock, for a child after its fork."""
        self._lock = threading.Lock()
        if self._file >= 0:
            os.close(self._file)
        self._file = -1
        self.pending = False

    def take_over(self, name: str, file: int) -> None:
        """Takes the open and locked file that a dead process has left. Raises OSError."""
        self.name = name
        self._file, size = file, os.fstat(file).st_size
        content = os.pread(file, size, 0)
        self._end = max(_HEADER_BYTES, content.rfind(b"\n", _HEADER_BYTES) + 1)
        try:
            header = orjson.loads(content[:_HEADER_BYTES])
            self._head = min(max(_HEADER_BYTES, int(header["sent"])), self._end)
            self._losses = Losses(**header["lost"])
        except (ValueError, KeyError, TypeError):
            # Its owner died before it had written one: nothing was sent of it.
            self._head = _HEADER_BYTES
        self.pending = True
        self._finish()

    # Under the lock

    def _make_room(self, size_bytes: int) -> None:
        if size_bytes + _HEADER_BYTES > self._limit_bytes:
            raise OSError("an entry is larger than the spool")
        if self._file < 0:
            self._create()
        if self._end + size_bytes > self._limit_bytes:
            self._shrink(size_bytes)
        if self._end + size_bytes > self._limit_bytes:
            raise OSError("the spool is full of what is being sent")

    def _create(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if sum(1 for _ in self._folder.glob("*.spool")) >= self._files_limit:
            raise OSError(f"{self._files_limit} processes have left spools already")
        self._head = self._end = _HEADER_BYTES
        self._replace(b"")

    def _shrink(self, size_bytes: int) -> None:
        """Drops what was sent and, where that is not enough, progress, then the rest, oldest first."""
        waiting = os.pread(self._file, self._end - self._head, self._head)
        in_flight, lines = waiting[: self._in_flight_bytes], waiting[self._in_flight_bytes :].splitlines(keepends=True)
        over = _HEADER_BYTES + len(waiting) + size_bytes - self._limit_bytes
        dropped: set[int] = set()
        if over > 0:
            over += self._limit_bytes // _ROOM_SHARE
            order = sorted(range(len(lines)), key=lambda n: not lines[n].startswith(PROGRESS.encode() + b" "))
            for number in order:
                if over <= 0:
                    break
                over -= len(lines[number])
                dropped.add(number)
        kept = in_flight + b"".join(line for number, line in enumerate(lines) if number not in dropped)
        self._replace(kept)
        for number in dropped:
            entry = parse(lines[number])
            if entry is not None:
                self._losses.add(entry.word, entry.at_us)
        self._write_header()

    def _replace(self, lines: bytes) -> None:
        """Writes the file anew with these lines; until that is done the old one is whole."""
        new = self._path.with_suffix(".new")
        file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            content = b" " * (_HEADER_BYTES - 1) + b"\n" + lines
            if os.pwrite(file, content, 0) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            new.rename(self._path)
        except OSError:
            os.close(file)
            new.unlink(missing_ok=True)
            raise
        if self._file >= 0:
            os.close(self._file)
        self._file, self._head, self._end = file, _HEADER_BYTES, len(content)
        self._write_header()

    def _write_header(self) -> None:
        header: Mapping[str, Any] = {"sent": self._head, "lost": vars(self._losses)}
        if self._file >= 0:
            with contextlib.suppress(OSError):
                os.pwrite(self._file, encode(header).ljust(_HEADER_BYTES - 1) + b"\n", 0)

    def _read(self, at: int) -> Entry | None:
        return parse(os.pread(self._file, self._line_length(at), at))

    def _line_length(self, at: int) -> int:
        size = _READ_BYTES
        while b"\n" not in (piece := os.pread(self._file, min(size, self._end - at), at)) and at + size < self._end:
            size *= 4
        found = piece.find(b"\n")
        return found + 1 if found >= 0 else max(1, self._end - at)

    def _finish(self) -> None:
        """Takes the file away when nothing waits in it."""
        if self._head < self._end or self._losses.total:
            return
        if self._file >= 0:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
            os.close(self._file)
        self._file, self._head, self._end = -1, _HEADER_BYTES, _HEADER_BYTES
        self.pending = False

    def _trouble(self, error: OSError) -> None:
        if not self._troubled:
            self._troubled = True
            logger.error("events are lost, the spool cannot keep them: %s", error.strerror or error)
