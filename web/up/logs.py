"""A child's log file, kept below a size by setting the older half aside."""

from __future__ import annotations

import os
from pathlib import Path

DEFAULT_LIMIT_BYTES = 5_000_000
LINE_LIMIT_BYTES = 65_536


class BoundedLog:
    """Appends to `path`; when it would pass `limit_bytes` it becomes `<path>.1`, replacing that one."""

    def __init__(self, path: Path, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self.path = path
        self._limit_bytes = limit_bytes
        self._open()

    def _open(self) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "ab", buffering=0)
        self._size = os.fstat(descriptor).st_size

    def write(self, data: bytes) -> None:
        """Append `data`; what a full disk refuses is lost, the child lives on."""
        try:
            if self._size and self._size + len(data) > self._limit_bytes:
                self._file.close()
                self.path.replace(self.path.with_name(self.path.name + ".1"))
                self._open()
            self._size += self._file.write(data) or 0
        except (OSError, ValueError):
            return

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        self._file.close()


class Lines:
    """Cuts a stream of bytes into lines of at most `LINE_LIMIT_BYTES`."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines completed by `data`, without their ends."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINE_LIMIT_BYTES:
            lines.append(self._rest)
            self._rest = b""
        return [line.rstrip(b"\r") for line in lines]

    def flush(self) -> list[bytes]:
        """What is left when the stream has ended."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []
