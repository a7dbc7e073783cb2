"""What the supervisor writes for whoever looks on: its own sentences, and the children's lines if asked."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO

_COLOURS = (36, 32, 35, 34, 33, 96, 92)


class Terminal:
    """Sentences and children's lines on one stream; a stream that has gone away is no error."""

    def __init__(self, stream: TextIO | None = None, verbose: bool = False) -> None:
        self._stream = stream or sys.stdout
        self._verbose = verbose
        self._colours: dict[str, int] = {}
        self._gone = False

    @property
    def interactive(self) -> bool:
        """Whether a person sees the stream as it is written."""
        return not self._gone and self._stream.isatty()

    def say(self, text: str = "") -> None:
        """Write `text` and a line end."""
        if self._gone:
            return
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self._gone = True
            self._discard()

    def _discard(self) -> None:
        """The reader has gone; what is still buffered would fail again when this process ends."""
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def line(self, name: str, line: bytes) -> None:
        """Write a child's line behind its name, if the children are to be seen."""
        if not self._verbose:
            return
        label = f"{name:<8} |"
        if self.interactive:
            colour = self._colours.setdefault(name, _COLOURS[len(self._colours) % len(_COLOURS)])
            label = f"\x1b[{colour}m{label}\x1b[0m"
        self.say(f"{label} {line.decode('utf-8', 'replace')}")
