"""Reading files in a child process, so that a hostile file costs bounded time and memory and harms nobody."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from pipeline.errors import UnsupportedDocument
from tasks.rag.formats import READ_APART, parse, suffix_of
from tasks.rag.limits import Limits, OnPage, no_news
from tasks.rag.plaintext import Heading, PlainText

_PROGRAM = "tasks.rag.reading_child"
_ROOT = Path(__file__).resolve().parents[2]
# A character takes at most 12 bytes of the child's ASCII; the rest is headings.
_REPLY_BYTES_PER_CHARACTER, _REPLY_BYTES_MORE = 12, 10_000_000
# The processor's time is what is bounded; on a busy machine a file may take so many times as long.
_PATIENCE = 5
_END_TIMEOUT_SECONDS = 10.0


class FileReader:
    """Files as plain text. Starts its child with the first file that needs it, and another one when it ends.

    For one file at a time, from any thread and after a fork. Close it, or use it as a context manager.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._child: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._lock = threading.Lock()

    @property
    def process_id(self) -> int:
        """The child's; 0 when there is none."""
        return self._child.pid if self._child is not None else 0

    def read(self, path: Path, on_page: OnPage = no_news) -> PlainText:
        """The plain text of the file at `path`. Raises UnsupportedDocument, with a reason for people."""
        try:
            if not path.is_file():
                raise UnsupportedDocument("It is not a file.")
            suffix_of(path.name)
            with path.open("rb") as file:
                # One byte more than the limit: enough to know, whatever size the file claims to have.
                data = file.read(self.limits.file_bytes + 1)
        except OSError as error:
            raise UnsupportedDocument(f"The file cannot be read: {error.strerror}.") from error
        return self.parse(path.name, data, on_page)

    def parse(self, name: str, data: bytes, on_page: OnPage = no_news) -> PlainText:
        """The plain text of a file called `name`. Raises UnsupportedDocument, with a reason for people."""
        if suffix_of(name) not in READ_APART or len(data) > self.limits.file_bytes:
            return parse(name, data, self.limits)
        with self._lock:
            return self._parse_apart(name, data, on_page)

    def close(self) -> None:
        """Ends the child; a later file starts another."""
        with self._lock:
            self._end()

    def __enter__(self) -> FileReader:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def _parse_apart(self, name: str, data: bytes, on_page: OnPage) -> PlainText:
        child = self._started()
        late = threading.Event()

        def stop() -> None:
            late.set()
            child.kill()

        timer = threading.Timer(self.limits.seconds * _PATIENCE, stop)
        timer.daemon = True
        timer.start()
        try:
            reply = self._asked(child, name, data, on_page)
        except BaseException:
            self._end()
            raise
        finally:
            timer.cancel()
        if reply is None:
            raise UnsupportedDocument(self._why_ended(late.is_set()))
        if reply.get("last"):
            self._end()
        if "error" in reply:
            raise UnsupportedDocument(reply["error"])
        plain = reply["plain"]
        return PlainText(plain["text"], plain["title"], plain["url"], tuple(Heading(*h) for h in plain["headings"]))

    def _asked(self, child: subprocess.Popen[bytes], name: str, data: bytes, on_page: OnPage) -> dict[str, Any] | None:
        """The child's answer, or None when it ended before it gave one."""
        assert child.stdin is not None
        assert child.stdout is not None
        reply_limit = self.limits.text_characters * _REPLY_BYTES_PER_CHARACTER + _REPLY_BYTES_MORE
        try:
            child.stdin.write(json.dumps({"name": name, "length": len(data)}).encode() + b"\n" + data)
            child.stdin.flush()
            while line := child.stdout.readline(reply_limit):
                reply: dict[str, Any] = json.loads(line)
                if "page" not in reply:
                    return reply
                on_page(reply["page"], reply["pages"])
        except (BrokenPipeError, json.JSONDecodeError):
            pass
        return None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._pid != os.getpid() or self._child.poll() is not None:
            self._end()
            limits = json.dumps(dataclasses.asdict(self.limits))
            # It gets no environment, so that no secret is in its memory.
            self._child = subprocess.Popen(
                [sys.executable, "-B", "-m", _PROGRAM, limits],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=_ROOT,
                env={},
            )
            self._pid = os.getpid()
        return self._child

    def _why_ended(self, late: bool) -> str:
        child = self._child
        assert child is not None
        code = child.wait(_END_TIMEOUT_SECONDS)
        self._end()
        if late or code == -signal.SIGXCPU:
            return f"The file took longer than {self.limits.seconds:g} seconds to read."
        return "The file cannot be read: its reader broke down over it."

    def _end(self) -> None:
        child, self._child = self._child, None
        # A fork's copy leaves the child to the process that started it.
        if child is None or self._pid != os.getpid():
            return
        child.kill()
        with contextlib.suppress(BrokenPipeError):
            child.communicate(timeout=_END_TIMEOUT_SECONDS)
