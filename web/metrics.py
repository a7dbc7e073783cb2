"""What Spanfeed's processes have counted, as Prometheus reads it. No Flask."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from web.feed.latency import BOUNDS_SECONDS
from web.feed.transports import BY_NAME

COUNTERS = {
    "opened": ("spanfeed_feed_opened", "transport", "Feeds that were opened, or taken over from another relay."),
    "closed": ("spanfeed_feed_closes", "code", "Feeds that the server has closed, by close code."),
    "not_opened": ("spanfeed_feed_refusals", "status", "Feeds that were refused before they began, by HTTP status."),
    "refused": (
        "spanfeed_feed_subscription_refusals",
        "reason",
        "Further sessions that were refused.",
    ),
    "reset": ("spanfeed_feed_resets", "reason", "Cursors that were worth nothing."),
    "read": ("spanfeed_feed_replayed_events", "source", "Events that were read for replays and polls, by source."),
    "handover": ("spanfeed_feed_handovers", "result", "Sockets that web processes wanted to hand over, by result."),
    "moved": ("spanfeed_relay_moved_feeds", "direction", "Feeds that went from one relay to another."),
    "delivered": ("spanfeed_feed_deliveries", None, "Frames times clients that were given to them."),
    "bytes": ("spanfeed_feed_delivered_bytes", None, "Bytes of these frames."),
    "behind": ("spanfeed_feed_laggards", None, "How often a feed has missed something and had to read the past."),
    "half_open": ("spanfeed_feed_half_open", None, "Clients that did not answer a ping, and were dropped."),
    "not_understood": ("spanfeed_feed_not_understood", None, "Frames of clients that meant nothing."),
}
"""By the name before the colon in `web.feed.tally`: the metric (without `_total`), its label, what it is."""
GAUGES = {
    "sessions": ("spanfeed_feed_sessions", "Sessions whose channel is read."),
    "behind": ("spanfeed_feed_behind", "Feeds that read the past at present."),
}
CONNECTIONS = ("spanfeed_feed_connections", "Open feeds by transport.")
BUSY = ("spanfeed_relay_busy_seconds", "How long a relay's loop has worked and not waited.")
EMIT_TO_SOCKET = (
    "spanfeed_feed_emit_to_socket_seconds",
    "From the making of an event (Redis's clock) until it was given to a client's socket (this machine's).",
)
REQUESTS = ("spanfeed_http_requests", "HTTP requests, by the route's pattern.")
REQUEST_SECONDS = ("spanfeed_http_request_seconds", "How long they took; of a feed that a thread serves: its life.")
LOG = {
    "backlog": ("spanfeed_recorder_backlog_events", "Events in Redis that are not stored yet."),
    "queues": ("spanfeed_queue_messages", "Messages that wait in a queue of the workers."),
    "relays": ("spanfeed_relays_answering", "Relays that have answered, of those that are set."),
}
LOG_COUNTERS = {
    "stored": ("spanfeed_recorder_stored_events", "Entries of the log that recorders have stored (Redis 7 or newer)."),
    "dropped": ("spanfeed_log_dropped_events", "Events that were dropped because the log was full."),
}


class Figures(Collector):
    """Of several processes, each with its name; `shared` is what Redis knows."""

    def __init__(self, processes: list[dict[str, Any]], shared: Mapping[str, Any]) -> None:
        self._processes = processes
        self._shared = shared

    def collect(self) -> Iterable[Metric]:
        """All metrics."""
        yield from self._counters()
        yield from self._gauges()
        yield from self._histograms()
        yield from self._of_redis()

    def _counters(self) -> Iterator[Metric]:
        for name, (metric, label, text) in COUNTERS.items():
            family = CounterMetricFamily(metric, text, labels=["process", *([label] if label else [])])
            for process in self._processes:
                for counted, value in sorted(process["counts"].items()):
                    if label is None and counted == name:
                        family.add_metric([process["process"]], value)
                    elif label is not None and counted.partition(":")[0] == name:
                        family.add_metric([process["process"], counted.partition(":")[2]], value)
            yield family
        busy = CounterMetricFamily(*BUSY, labels=["process"])
        requests = CounterMetricFamily(*REQUESTS, labels=["process", "route", "method", "status"])
        for process in self._processes:
            if "busy_us" in process["counts"]:
                busy.add_metric([process["process"]], process["counts"]["busy_us"] / 1_000_000)
            for route, method, status, count in process.get("requests", ()):
                requests.add_metric([process["process"], route, method, str(status)], count)
        yield from (busy, requests)

    def _gauges(self) -> Iterator[Metric]:
        connections = GaugeMetricFamily(*CONNECTIONS, labels=["process", "transport"])
        for process in self._processes:
            for transport in BY_NAME:
                counts = process["counts"]
                open_ones = counts.get(f"opened:{transport}", 0) - counts.get(f"ended:{transport}", 0)
                connections.add_metric([process["process"], transport], open_ones)
        yield connections
        for name, (metric, text) in GAUGES.items():
            family = GaugeMetricFamily(metric, text, labels=["process"])
            for process in self._processes:
                if name in process["gauges"]:
                    family.add_metric([process["process"]], process["gauges"][name])
            yield family

    def _histograms(self) -> Iterator[Metric]:
        emit = HistogramMetricFamily(*EMIT_TO_SOCKET, labels=["process"])
        requests = HistogramMetricFamily(*REQUEST_SECONDS, labels=["process", "route"])
        for process in self._processes:
            _add(emit, [process["process"]], process["latencies"]["emit_to_socket"])
            for route, latency in sorted(process.get("request_seconds", {}).items()):
                _add(requests, [process["process"], route], latency)
        yield from (emit, requests)

    def _of_redis(self) -> Iterator[Metric]:
        for name, (metric, text) in LOG.items():
            family = GaugeMetricFamily(metric, text, labels=["queue"] if name == "queues" else [])
            value = self._shared.get(name)
            if isinstance(value, Mapping):
                for queue, count in value.items():
                    family.add_metric([queue], count)
            elif value is not None:
                family.add_metric([], value)
            yield family
        for name, (metric, text) in LOG_COUNTERS.items():
            counter = CounterMetricFamily(metric, text)
            if self._shared.get(name) is not None:
                counter.add_metric([], self._shared[name])
            yield counter


def _add(family: HistogramMetricFamily, labels: list[str], latency: Mapping[str, Any]) -> None:
    bounds = [*(str(bound) for bound in BOUNDS_SECONDS), "+Inf"]
    family.add_metric(labels, list(zip(bounds, itertools.accumulate(latency["counts"]), strict=True)), latency["sum"])


class _One:
    """A registry of one collector: nothing of the process itself is shown, which would be another one each time."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def collect(self) -> Iterable[Metric]:
        """All metrics."""
        return self._collector.collect()


def as_text(processes: list[dict[str, Any]], shared: Mapping[str, Any]) -> bytes:
    """The metrics in Prometheus's text format."""
    return generate_latest(_One(Figures(processes, shared)))
