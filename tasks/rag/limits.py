"""What reading one file may cost."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

SIZE_LIMIT_BYTES = 10_000_000

OnPage = Callable[[int, int], None]
"""Gets the number of the page that was read, from 1, and how many there are."""


def no_news(_page: int, _pages: int) -> None:
    """For whoever does not want to hear of pages."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """Of one file: its size, what it may unpack to, its pages and text, and its reader's processor time and memory."""

    file_bytes: int = SIZE_LIMIT_BYTES
    unpacked_bytes: int = 100_000_000
    pages: int = 2_000
    text_characters: int = 10_000_000
    seconds: float = 60.0
    memory_bytes: int = 768 * 1024 * 1024
