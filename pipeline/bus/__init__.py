"""The bus: Redis scripts that append and announce in one step, the runs behind the stages, the feeds.

`open_bus(settings)` gives a `Bus`; only `pipeline.bus.redis` imports the redis library.
"""

from pipeline.bus.bus import Bus, open_bus
from pipeline.bus.feed import Frame, Subscription
from pipeline.bus.runs import Begun, Closed, Closing, QueueIs, RunState, SpanStart
from pipeline.bus.sessions import SessionClock, Tail

__all__ = [
    "Begun",
    "Bus",
    "Closed",
    "Closing",
    "Frame",
    "QueueIs",
    "RunState",
    "SessionClock",
    "SpanStart",
    "Subscription",
    "Tail",
    "open_bus",
]
