"""From POST to the first event at an open WebSocket, on a whole Spanfeed; the peer is a naive app beside it.

`python -m benchmarks.first_event [--messages 100] [--server valkey|redis] [--json]`
"""

from __future__ import annotations

import argparse
import dataclasses
import http.client
import json
import select
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.feed_reader import FeedReader
from benchmarks.pairs import Comparison, Goal, compare_percentile
from benchmarks.report import show
from benchmarks.sides import PEER, Side, both
from pipeline.event import EPOCH_OFFSET_SECONDS
from tests.parts.redis_part import SERVERS

_WAIT_SECONDS = 20.0
_WARM_UP_MESSAGES = 15
_ENDINGS = {("saving_message", "completed"), ("error", "failed")}


@dataclasses.dataclass(frozen=True)
class Timing:
    """One message, in milliseconds from before its POST."""

    accepted: float
    written: float
    """The event was made: by Redis's clock, for the peer by the task's."""
    arrived: float


class Client:
    """One session: a kept-alive HTTP connection and an open feed."""

    def __init__(self, side: Side, written_at: Callable[[bytes], float | None], ends: Callable[[bytes], bool]) -> None:
        self._side = side
        self._written_at = written_at
        self._ends = ends
        self._session_id = str(uuid.uuid4())
        self._http = http.client.HTTPConnection("127.0.0.1", side.port, timeout=_WAIT_SECONDS)
        self._http.connect()
        self._feed: FeedReader = side.open_feed(self._session_id)

    def message(self) -> Timing:
        """Sends one message and waits until all of its events have come."""
        body = json.dumps(self._side.body(self._session_id))
        headers = {"Content-Type": "application/json", **self._side.headers}
        began, began_wall = time.perf_counter(), time.time()
        self._http.request("POST", self._side.post_path, body, headers)
        accepted = arrived = 0.0
        written: float | None = None
        while not accepted or written is None:
            waited_for = [self._feed.socket, *([] if accepted else [self._http.sock])]
            ready, _, _ = select.select(waited_for, [], [], _WAIT_SECONDS)
            now = time.perf_counter()
            if not ready:
                raise TimeoutError("neither reply nor event")
            if self._http.sock in ready:
                self._read_reply()
                accepted = now - began
            if self._feed.socket in ready and written is None:
                text = self._feed.next()
                arrived, written = now - began, self._written_at(text)
        while not self._ends(text):
            text = self._feed.next()
        return Timing(accepted * 1e3, (written - began_wall) * 1e3, arrived * 1e3)

    def _read_reply(self) -> None:
        reply = self._http.getresponse()
        said = reply.read()
        if reply.status != 202:
            raise RuntimeError(f"{reply.status}: {said.decode()}")

    def close(self) -> None:
        """Ends both connections."""
        self._http.close()
        self._feed.close()


def our_time(text: bytes) -> float | None:
    """When our event was made, as Unix time: its id says it."""
    frame = json.loads(text)
    return frame["event"]["id"] / 1e6 + EPOCH_OFFSET_SECONDS if frame["type"] == "event" else None


def our_end(text: bytes) -> bool:
    """Whether this is the message's last event."""
    event = json.loads(text).get("event") or {}
    return (event.get("event_type"), event.get("event_status")) in _ENDINGS


def naive_time(text: bytes) -> float | None:
    """When the naive app's event was published."""
    return float(json.loads(text)["at"])


def measure(ours: Client, peer: Client, messages: int) -> list[Comparison]:
    """Messages of both by turns."""
    for _ in range(_WARM_UP_MESSAGES):
        ours.message()
        peer.message()
    pairs = [(ours.message(), peer.message()) for _ in range(messages)]
    arrived = [(o.arrived, p.arrived) for o, p in pairs]
    accepted = [(o.accepted, p.accepted) for o, p in pairs]
    written = [(o.written, p.written) for o, p in pairs]
    relayed = [(o.arrived - o.written, p.arrived - p.written) for o, p in pairs]
    return [
        compare_percentile("POST to first event, p50", "ms", PEER, arrived, 0.5, Goal("<=", 15, ours=True)),
        compare_percentile("POST to first event, p95", "ms", PEER, arrived, 0.95),
        compare_percentile("of this: POST to 202, p50", "ms", PEER, accepted, 0.5),
        compare_percentile("of this: POST to event made, p50", "ms", PEER, written, 0.5),
        compare_percentile("of this: event made to client, p50", "ms", PEER, relayed, 0.5),
    ]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100)
    parser.add_argument("--server", choices=SERVERS, default="valkey")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with both(asked.server) as (our_side, naive_side):
        ours = Client(our_side, our_time, our_end)
        peer = Client(naive_side, naive_time, lambda text: True)
        try:
            found = measure(ours, peer, asked.messages)
        finally:
            ours.close()
            peer.close()
    show(found, asked.json)


if __name__ == "__main__":
    main()
