"""One request to an endpoint and its answer, waited for in small steps."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Generator
from typing import Any

from pipeline.errors import FenceLost
from tasks.llm import faults
from tasks.llm.endpoint import Endpoint
from tasks.llm.gathering import Gathering
from tasks.llm.reader import Ended, Reader

TICK_SECONDS = 0.05
# After its last token a healthy endpoint has only the count of tokens and `[DONE]` left to say.
FAREWELL_SECONDS = 2.0


@dataclasses.dataclass(frozen=True)
class Patience:
    """How long is waited, in seconds: for the first token, between two signs of life, for the whole."""

    stall: float
    first_token: float = math.inf
    whole: float = math.inf


def exchange(
    endpoint: Endpoint, body: dict[str, Any], patience: Patience, stopped: Callable[[], bool]
) -> Generator[str, None, Gathering]:
    """Sends `body` and yields the text that comes, then returns all that came.

    While no text comes it yields the empty string at least every 50 ms; `stopped()` is looked at as often.
    Raises FenceLost when stopped, TransientFault or StageFailed as `faults` tells them. What was gathered may be no
    whole answer: see `Gathering.check`. Closing the generator closes the connection.
    """
    if stopped():
        raise FenceLost
    gathering = Gathering()
    with Reader(endpoint.call(body)) as reader:
        yield from _pieces(reader, gathering, patience, stopped)
        endpoint.refused |= reader.refused
    if gathering.usage is not None:
        gathering.usage = endpoint.prices.of(gathering.usage)
    return gathering


def _pieces(
    reader: Reader, gathering: Gathering, patience: Patience, stopped: Callable[[], bool]
) -> Generator[str, None, None]:
    began = heard = time.monotonic()
    while not gathering.done:
        item = reader.next(TICK_SECONDS)
        now = time.monotonic()
        if stopped():
            raise FenceLost
        if now - began > patience.whole:
            raise faults.stalled()
        if isinstance(item, Ended):
            if item.fault is not None and gathering.finish_reason is None:
                raise item.fault
            break
        if item is not None:
            heard = now
            yield gathering.take(item)
            continue
        if gathering.finish_reason is not None and now - heard > FAREWELL_SECONDS:
            break
        if now - heard > patience.stall or (not gathering.at_work and now - began > patience.first_token):
            raise faults.stalled()
        yield ""
    yield gathering.finish()
