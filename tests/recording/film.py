"""An animated WebP out of what a page looks like from moment to moment."""

from __future__ import annotations

import io
import itertools
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

FRAME_SECONDS = 0.1
LIMIT_BYTES = 1_000_000
_QUALITY = 55
_LAST_MS = 3_000
"""How long the end stays to be looked at."""


class Film:
    """Takes pictures, each with the time for which it was to be seen. A film of more than 1 MB is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._frames: list[tuple[bytes, float]] = []

    def shoot(self, page: Page, until: Callable[[], bool], seconds: float = 30.0) -> None:
        """Films until the condition is met. Raises TimeoutError when it is not in time."""
        deadline = time.monotonic() + seconds
        while not until():
            if time.monotonic() > deadline:
                raise TimeoutError("the page does not do what it is filmed for")
            self._take(page)

    def watch(self, page: Page, seconds: float) -> None:
        """Films for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._take(page)

    def save(self) -> int:
        """Writes the file; its size in bytes. Raises ValueError for one that is too large."""
        moments = [moment for _, moment in self._frames]
        lasting = [(after - before) * 1000 for before, after in itertools.pairwise(moments)]
        pictures: list[Image.Image] = []
        durations: list[int] = []
        last = b""
        for (shot, _), ms in zip(self._frames, [*lasting, _LAST_MS], strict=True):
            if shot == last:
                durations[-1] += round(ms)
                continue
            last = shot
            pictures.append(Image.open(io.BytesIO(shot)).convert("RGB"))
            durations.append(round(ms))
        first, *others = pictures
        first.save(
            self._path, save_all=True, append_images=others, duration=durations, loop=0, quality=_QUALITY, method=4
        )
        size = self._path.stat().st_size
        if size > LIMIT_BYTES:
            raise ValueError(f"{self._path.name} has {size} bytes, more than {LIMIT_BYTES}")
        return size

    def _take(self, page: Page) -> None:
        began = time.monotonic()
        self._frames.append((page.screenshot(animations="allow", caret="initial"), began))
        page.wait_for_timeout(max(1.0, 1000 * (began + FRAME_SECONDS - time.monotonic())))
