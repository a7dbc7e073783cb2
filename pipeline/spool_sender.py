"""Sending what waits in a spool: in order, each entry once, and then what the spool has lost."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from pipeline.breaker import Breaker
from pipeline.bus import Bus
from pipeline.errors import BusUnavailable, SpanfeedError
from pipeline.event import Status
from pipeline.late import Append, Emit, Late, gap
from pipeline.spool import Spool

logger = logging.getLogger(__name__)
_SHORTEST_PAUSE_SECONDS = 0.02


class SpoolSender:
    """Sends spools; waits for Redis as the breaker says, until `stopped` is set."""

    def __init__(self, bus: Bus, breaker: Breaker, stopped: threading.Event) -> None:
        self._bus = bus
        self._breaker = breaker
        self._stopped = stopped
        self.newest_id = 0

    def send(self, spool: Spool, left: bool = False) -> None:
        """Sends all that waits; of a spool that a dead process has `left`, ends the spans, too.

        Raises BusUnavailable when it was stopped; what is not sent waits.
        """
        opened: dict[str, Append] = {}
        # Whoever sent it before may have died, or stopped, before it could write that down.
        maybe_sent = True
        while (entry := spool.head()) is not None:
            try:
                late = Late.unpacked(entry)
                self._send_late(late, maybe_sent or late.tried)
                _follow(opened, late.emit)
                spool.sent()
            except BusUnavailable:
                raise
            except SpanfeedError as error:
                logger.error("an event out of the spool was refused: %s", error)
                spool.sent(lost=True)
            maybe_sent = False
        for emit in opened.values() if left else ():
            self._tell(emit.cut_off())
        losses = spool.losses()
        if losses.total:
            self._tell(gap(losses, spool.name))
            spool.told(losses)

    def _send_late(self, late: Late, maybe_sent: bool) -> None:
        """Once, whatever became of earlier tries. Raises InvalidEvent, BusRefused, BusUnavailable."""
        dated = late.dated()

        def attempt() -> int | None:
            nonlocal maybe_sent
            if maybe_sent and (told := late.told_as(self._bus)):
                return told
            maybe_sent = True
            return dated.send(self._bus)

        if self._insist(attempt) is None:
            logger.info("progress came out of the spool too late: its stage has moved on")

    def _tell(self, emit: Append) -> None:
        try:
            self._insist(lambda: emit.send(self._bus))
        except BusUnavailable:
            raise
        except SpanfeedError as error:
            logger.error("an event of the spool's own was refused: %s", error)

    def _insist(self, attempt: Callable[[], int | None]) -> int | None:
        while True:
            if self._breaker.allows():
                try:
                    found = attempt()
                except BusUnavailable as error:
                    self._breaker.failed()
                    logger.debug("the spool waits: %s", error)
                else:
                    self._breaker.succeeded()
                    self.newest_id = max(self.newest_id, found or 0)
                    return found
            if self._stopped.wait(max(_SHORTEST_PAUSE_SECONDS, self._breaker.wait_seconds())):
                raise BusUnavailable("stopped before Redis was back")


def _follow(opened: dict[str, Append], emit: Emit) -> None:
    """Keeps the ordinary spans that were opened and not closed."""
    if not isinstance(emit, Append) or emit.ordinary_span is None:
        return
    if emit.state.event_status is Status.STARTED:
        opened[emit.ordinary_span[1]] = emit
    else:
        opened.pop(emit.ordinary_span[1], None)
