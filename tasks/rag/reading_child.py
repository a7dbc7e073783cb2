"""The child process that reads files: one after the other from its input, within bounds of time and memory."""

from __future__ import annotations

import json
import math
import resource
import sys
from typing import Any

from pipeline.errors import UnsupportedDocument
from tasks.rag.formats import parse
from tasks.rag.limits import Limits
from tasks.rag.plaintext import PlainText

_OPEN_FILES_LIMIT = 64
_MEGABYTE = 1024 * 1024
# The library for PDF files goes deeper than Python allows at first.
_RECURSION_LIMIT = 3_000


def main() -> None:
    """Reads a line about each file, then the file; writes a line for each page, and one with the text or the reason."""
    limits = Limits(**json.loads(sys.argv[1]))
    _bind(limits)
    while line := sys.stdin.buffer.readline():
        asked = json.loads(line)
        data = sys.stdin.buffer.read(asked["length"])
        used = resource.getrusage(resource.RUSAGE_SELF)
        # A limit of this process's processor time so far and that of one file; the parent also looks at the clock.
        soft = math.ceil(used.ru_utime + used.ru_stime + limits.seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
        _say(_reply(asked["name"], data, limits))


def _bind(limits: Limits) -> None:
    sys.setrecursionlimit(_RECURSION_LIMIT)
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    # It has nothing to write but its answer, and leaves no picture of its memory behind.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES_LIMIT, _OPEN_FILES_LIMIT))


def _reply(name: str, data: bytes, limits: Limits) -> dict[str, Any]:
    try:
        return {"plain": _shape(parse(name, data, limits, _tell_page))}
    except UnsupportedDocument as error:
        return {"error": str(error)}
    except MemoryError:
        # What is left of its memory is in pieces.
        return {"error": f"The file needs more than {limits.memory_bytes // _MEGABYTE} MiB to be read.", "last": True}
    except Exception as error:  # noqa: BLE001 - a damaged file may make the library raise anything
        return {"error": f"The file is damaged: it cannot be read ({type(error).__name__}).", "last": True}


def _shape(plain: PlainText) -> dict[str, Any]:
    headings = [[heading.level, heading.text, heading.start, heading.end] for heading in plain.headings]
    return {"text": plain.text, "title": plain.title, "url": plain.url, "headings": headings}


def _tell_page(page: int, pages: int) -> None:
    _say({"page": page, "pages": pages})


def _say(reply: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(reply).encode("ascii") + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
