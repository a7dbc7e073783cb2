"""A relay's one subscription: which channels are followed, and how it is had again after it was lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from pipeline.bus import Frame
from pipeline.bus.channels import Channels
from pipeline.errors import BusUnavailable
from pipeline.settings import Settings
from web.relay.errands import Errands

logger = logging.getLogger(__name__)
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0


class Subscription:
    """Connects by an errand, because that waits; everything else returns at once.

    `wanted` gives the channels to follow on a new connection; `changed` is called when there is another one, or none.
    """

    def __init__(
        self,
        settings: Settings,
        errands: Errands,
        wanted: Callable[[], Iterable[str]],
        changed: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._errands = errands
        self._wanted = wanted
        self._changed = changed
        self._pause = _FIRST_PAUSE_SECONDS
        self.channels: Channels | None = None
        self.connect_at: float | None = None
        """When the next try to connect begins; None when there is a connection or a try is under way."""

    def connect(self) -> None:
        """Begins to connect."""
        self.connect_at = None
        self._errands.ask(lambda: Channels(self._settings), self._connected)

    def _connected(self, result: Channels | Exception) -> None:
        if isinstance(result, Exception):
            self._lost(result)
            return
        self.channels = result
        self._pause = _FIRST_PAUSE_SECONDS
        result.follow(self._wanted())
        self._changed()

    def write(self) -> None:
        """Sends what waits."""
        try:
            if self.channels is not None:
                self.channels.write()
        except BusUnavailable as error:
            self._lost(error)

    def read(self) -> list[Frame | str]:
        """What has come: frames, and the names of channels that are now followed."""
        try:
            return [] if self.channels is None else self.channels.read()
        except BusUnavailable as error:
            self._lost(error)
            return []

    def _lost(self, error: Exception) -> None:
        logger.warning("the subscription was lost, or could not be had: %s", error)
        channels, self.channels = self.channels, None
        self.connect_at = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, _LONGEST_PAUSE_SECONDS)
        if channels is not None:
            # First told, then closed: who waits for the descriptor must let go of it while it is its own.
            self._changed()
            channels.close()
