"""The metrics: what they count is what was done, whichever process did it."""

from __future__ import annotations

import json
import re
import signal
import uuid
from collections.abc import Callable, Iterator

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from pipeline.bus import Bus, open_bus
from tests.parts.redis_part import RedisPart
from tests.parts.stack import KEY, NO_TLS, Stack
from tests.parts.stream_client import StreamClient
from tests.parts.waiting import wait_for
from tests.web.site import emit
from tests.web.wire import BINARY, Wire


class Metrics:
    """A server's metrics since the test began."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._before = self._families()

    def _families(self) -> list[Metric]:
        headers = {"Authorization": f"Bearer {KEY}"}
        reply = httpx.get(f"{self._stack.url}/metrics", headers=headers, timeout=20, verify=NO_TLS)
        return list(text_string_to_metric_families(reply.raise_for_status().text))

    def now(self, name: str, **labels: str) -> float:
        """The sum over all samples that have these labels; of what only grows since the beginning."""
        value = _sum(self._families(), name, labels)
        grows = name.endswith(("_total", "_count", "_sum"))
        return value - _sum(self._before, name, labels) if grows else value

    def until(self, value: float, name: str, **labels: str) -> None:
        """Waits until a metric has a value."""
        wait_for(lambda: self.now(name, **labels) == value, f"{name} {labels} {value}; {self._families()}")


def _sum(families: list[Metric], name: str, labels: dict[str, str]) -> float:
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


@pytest.fixture(scope="module", params=["relay", "threads"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A web server whose feeds are served one way, with low limits."""
    part = RedisPart(tmp_path_factory.mktemp("valkey"))
    more = {"SPANFEED_RELAYS": "0"} if request.param == "threads" else {}
    made = Stack(tmp_path_factory.mktemp("home"), part, SPANFEED_FEED_SOCKETS_PER_SESSION_LIMIT="3", **more)
    yield made.start(worker=False, recorder=False, relay=request.param == "relay")
    made.close()
    part.stop(kill=True)


@pytest.fixture
def metrics(stack: Stack) -> Metrics:
    """Its metrics."""
    return Metrics(stack)


@pytest.fixture
def bus(stack: Stack) -> Iterator[Bus]:
    """A bus beside it."""
    opened = open_bus(stack.settings())
    yield opened
    opened.close_connections()


def test_feeds_are_counted_as_they_are_served(stack: Stack, metrics: Metrics, bus: Bus, session_id: str) -> None:
    """Without this an operator could not see how many clients there are, what they get, and how soon."""
    with (
        stack.feed(session_id) as one,
        stack.feed(session_id) as other,
        StreamClient(stack.url, session_id, KEY) as stream,
    ):
        stream.next()
        ids = emit(bus, session_id, 4)
        for client in (one, other):
            client.until(lambda frame: frame["type"] == "event" and frame["event"]["id"] == ids[-1])
        stream.until_id(ids[-1])
        metrics.until(2, "spanfeed_feed_connections", transport="ws")
        metrics.until(1, "spanfeed_feed_connections", transport="sse")
        metrics.until(12, "spanfeed_feed_deliveries_total")
        assert 12 * 300 < metrics.now("spanfeed_feed_delivered_bytes_total") < 12 * 2_000
        metrics.until(1, "spanfeed_feed_sessions")
        assert 0 < metrics.now("spanfeed_feed_emit_to_socket_seconds_count") <= 12
        assert 0 < metrics.now("spanfeed_feed_emit_to_socket_seconds_sum") < 12 * 10
        # No place: refused before the upgrade.
        with Wire(stack.url) as wire:
            assert wire.upgrade(f"/chat/ws/events/{session_id}").status == 429
        other.socket.send(json.dumps({"type": "subscribe", "session_id": "a..b"}))
        other.until(lambda frame: frame["type"] == "refused")
    with Wire(stack.url) as wire:
        assert wire.upgrade(f"/chat/ws/events/{session_id}-1", key="wrong").status == 401
    metrics.until(0, "spanfeed_feed_connections")
    metrics.until(1, "spanfeed_feed_refusals_total", status="429")
    metrics.until(1, "spanfeed_feed_refusals_total", status="401")
    metrics.until(1, "spanfeed_feed_subscription_refusals_total", reason="invalid")
    assert metrics.now("spanfeed_feed_opened_total") == 3


def test_resumes_resets_and_closes_are_counted(stack: Stack, metrics: Metrics, bus: Bus, session_id: str) -> None:
    """Without this an operator could not see that clients lose their place, or why their feeds end."""
    ids = emit(bus, session_id, 5)
    for query, kind in (({"after": 0}, "event"), ({"after": 0, "epoch": "other"}, "reset")):
        with stack.feed(session_id, **query) as client:
            client.until(lambda frame, kind=kind: frame["type"] == kind)  # type: ignore[misc]
            while not client.events or client.events[-1]["id"] != ids[-1]:
                client.next()
    with Wire(stack.url) as wire:
        assert wire.upgrade(f"/chat/ws/events/{session_id}").status == 101
        wire.frame()
        wire.send_frame(BINARY, b"no text")
        assert wire.closing_code() == 1003
    metrics.until(1, "spanfeed_feed_closes_total", code="1003")
    assert metrics.now("spanfeed_feed_resets_total", reason="epoch") == 1
    assert metrics.now("spanfeed_feed_replayed_events_total", source="stream") == 10
    assert metrics.now("spanfeed_feed_deliveries_total") == 10
    assert metrics.now("spanfeed_recorder_backlog_events") >= 5
    assert metrics.now("spanfeed_queue_messages", queue="spanfeed.generate") == 0


def test_a_reader_that_falls_behind_is_counted(stack: Stack, metrics: Metrics, bus: Bus, session_id: str) -> None:
    """Without this an operator would not see that clients are too slow for what they are sent."""
    with Wire(stack.url, receive_buffer=4_096) as slow:
        assert slow.upgrade(f"/chat/ws/events/{session_id}").status == 101
        slow.frame()
        # More than the buffers on the way and the queue of a reader hold.
        ids = emit(bus, session_id, 160, data={"text": "x" * 60_000})
        wait_for(lambda: metrics.now("spanfeed_feed_laggards_total") >= 1, "a reader that has missed something")
        slow.socket.settimeout(30)
        while b'"id":%d,' % ids[-1] not in slow.frame()[1]:
            continue
    assert metrics.now("spanfeed_feed_behind") == 0
    assert metrics.now("spanfeed_feed_deliveries_total") == 160


def test_hand_overs_and_successions_are_counted(make_stack: Callable[..., Stack], session_id: str) -> None:
    """Without this an operator would not see that feeds fall back to threads, or that a deploy moved them."""
    stack = make_stack(SPANFEED_WEB_PROCESSES="2").start(worker=False, recorder=False, relay=True)
    metrics = Metrics(stack)
    with stack.feed(session_id):
        metrics.until(1, "spanfeed_feed_handovers_total", result="done")
        metrics.until(1, "spanfeed_feed_connections", process="relay-0")
        assert metrics.now("spanfeed_relay_busy_seconds_total") > 0
        before = stack.processes.pop("relay")
        stack.start_relay()
        assert before.wait(20) == 0
        metrics.until(1, "spanfeed_relay_moved_feeds_total", direction="taken")
        metrics.until(1, "spanfeed_feed_connections")
        assert metrics.now("spanfeed_relays_answering") == 1
    stack.stop("relay", signal.SIGKILL)
    with stack.feed(session_id):
        metrics.until(1, "spanfeed_feed_handovers_total", result="no_relay")
        assert metrics.now("spanfeed_relays_answering") == 0


def test_requests_are_counted_by_route(stack: Stack, metrics: Metrics) -> None:
    """Without this an operator would not see which route is slow or fails, or the routes would be endless."""
    with stack.client() as client:
        for _ in range(3):
            name = str(uuid.uuid4())
            assert client.get(f"/chat/events/{name}").status_code == 200
            assert client.get(f"/nothing/{name}").status_code == 404
        assert client.request("BREW", "/nothing").status_code in {404, 405}
    route = "/chat/events/<session_id>"
    metrics.until(3, "spanfeed_http_requests_total", route=route, method="GET", status="200")
    assert metrics.now("spanfeed_http_request_seconds_count", route=route) == 3
    assert metrics.now("spanfeed_http_requests_total", route="(none)", method="GET", status="404") == 3
    assert metrics.now("spanfeed_http_requests_total", route="(none)", method="other") == 1
    text = httpx.get(f"{stack.url}/metrics", headers={"X-API-Key": KEY}).text
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-4", text), "a session's id is a label"


def test_strangers_read_no_metrics_unless_the_setting_says_so(make_stack: Callable[..., Stack]) -> None:
    """Without this everybody could watch how much a server does; or Prometheus would need a key in a closed network."""
    stack = make_stack(GOVSTACK_API_KEY="key-of-an-application").start(worker=False, recorder=False)
    assert httpx.get(f"{stack.url}/metrics").status_code == 401
    assert httpx.get(f"{stack.url}/metrics", headers={"X-API-Key": "key-of-an-application"}).status_code == 403
    assert httpx.get(f"{stack.url}/metrics", headers={"X-API-Key": KEY}).status_code == 200
    stack.stop("web")
    stack.environment["SPANFEED_METRICS_PUBLIC"] = "on"
    stack.start_web()
    reply = httpx.get(f"{stack.url}/metrics")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    # Redis away: what the processes know is told all the same.
    stack.redis.stop(kill=True)
    assert "spanfeed_http_requests_total" in httpx.get(f"{stack.url}/metrics", timeout=20).text
