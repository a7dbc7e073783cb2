"""Behind nginx and HAProxy, as Spanfeed's own files configure them: TLS, feeds, long answers, deploys, addresses."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import signal
from collections.abc import Iterator

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from pipeline.bus import Bus, open_bus
from tests.parts.front import FRONTS, Front
from tests.parts.ports import free_port
from tests.parts.redis_part import RedisPart
from tests.parts.stack import KEY, NO_TLS, Stack
from tests.parts.waiting import wait_for
from tests.web.site import emit

_KEYS = {"X-API-Key": KEY}
_ANSWER_SECONDS = 6
"""Longer than the 5 s for which a web process keeps a silent connection."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A web process and a relay."""
    part = RedisPart(tmp_path_factory.mktemp("valkey"))
    stack = Stack(
        tmp_path_factory.mktemp("home"),
        part,
        SPANFEED_TRUSTED_PROXIES="1",
        SPANFEED_ANSWER_DEADLINE_SECONDS=str(_ANSWER_SECONDS),
        SPANFEED_REQUESTS_PER_MINUTE="40",
        SPANFEED_PUBLIC_CHAT="off",
    )
    stack.start(worker=False, recorder=False, relay=True)
    yield stack
    stack.close()
    part.stop(kill=True)


@pytest.fixture(scope="module")
def second_port(served: Stack) -> int:
    """The port of a second web process."""
    port = free_port()
    first = served.environment["PORT"]
    served.environment["PORT"] = str(port)
    served.spawn("web2", "gunicorn", "-c", "web/gunicorn_config.py", "web.wsgi:app")
    served.environment["PORT"] = first

    def ready() -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{port}/healthz", verify=NO_TLS).status_code == 200
        return False

    wait_for(ready, "the second web process", 60)
    return port


@pytest.fixture(scope="module", params=FRONTS)
def front(
    request: pytest.FixtureRequest, served: Stack, second_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    """The proxy in front of both."""
    made = Front(request.param, tmp_path_factory.mktemp("front") / request.param, (served.port, second_port))
    with httpx.Client(verify=made.context) as http:
        wait_for(lambda: http.get(f"{made.url}/healthz").status_code == 200, "an answer through the proxy")
    yield made
    made.close()


@pytest.fixture
def bus(served: Stack) -> Iterator[Bus]:
    """A bus beside them, to append events as a worker would."""
    opened = open_bus(served.settings())
    yield opened
    opened.close_connections()


def _feed(front: Front, session_id: str, query: str = "", headers: dict[str, str] = _KEYS) -> ClientConnection:
    url = front.url.replace("https", "wss") + f"/chat/ws/events/{session_id}{query}"
    return connect(url, ssl=front.context, additional_headers=headers, open_timeout=20, close_timeout=1)


def _until(feed: ClientConnection, event_id: int) -> None:
    while True:
        message = json.loads(feed.recv(timeout=20))
        if message["type"] == "event" and message["event"]["id"] == event_id:
            return


def test_a_feed_through_tls(front: Front, bus: Bus, session_id: str) -> None:
    """Without this no page that is served over HTTPS would be live."""
    with _feed(front, session_id) as feed:
        assert json.loads(feed.recv(timeout=20))["type"] == "connection"
        [event_id] = emit(bus, session_id, data={"text": "x" * 200_000})
        _until(feed, event_id)
        feed.send("ping")
        assert feed.recv(timeout=20) == "pong"


def test_a_stream_is_not_held_back(front: Front, bus: Bus, session_id: str) -> None:
    """Without this a page would see nothing until the proxy's buffer is full."""
    url = f"{front.url}/chat/events/{session_id}/stream"
    with (
        httpx.Client(verify=front.context, timeout=20) as http,
        http.stream("GET", url, headers=_KEYS) as reply,
    ):
        assert reply.headers["content-type"].startswith("text/event-stream")
        lines = reply.iter_lines()
        assert "event: connection" in [next(lines) for _ in range(4)]
        for _ in range(3):
            # The next one is written only once this one was read.
            [event_id] = emit(bus, session_id)
            while next(lines) != f"id: {event_id}":
                continue


def test_answers_and_feeds_may_take_long(front: Front, bus: Bus, session_id: str) -> None:
    """Without this a long answer, or a feed on which nothing happens, would be cut off by the proxy."""
    with (
        concurrent.futures.ThreadPoolExecutor(1) as pool,
        httpx.Client(verify=front.context, timeout=60, headers=_KEYS) as http,
        _feed(front, session_id) as feed,
    ):
        assert json.loads(feed.recv(timeout=20))["type"] == "connection"
        # Nobody works here, so that it waits as long as it may.
        asked = pool.submit(http.post, f"{front.url}/chat/", json={"message": "How?", "session_id": session_id})
        reply = asked.result(60)
        assert reply.status_code == 202, reply.text
        assert reply.elapsed.total_seconds() >= _ANSWER_SECONDS
        [event_id] = emit(bus, session_id)
        _until(feed, event_id)


def test_who_is_not_let_in_is_told_so(front: Front, session_id: str) -> None:
    """Without this a refusal would look like a broken server, and clients would come again for ever."""
    with pytest.raises(InvalidStatus) as refused:
        _feed(front, session_id, headers={})
    assert refused.value.response.status_code == 401
    assert refused.value.response.headers["Content-Type"] == "application/problem+json"
    assert json.loads(refused.value.response.body or b"")["status"] == 401


def test_plain_http_is_sent_to_tls(front: Front) -> None:
    """Without this a key could be sent in clear, because somebody has typed an address without its s."""
    reply = httpx.get(f"http://localhost:{front.plain_port}/healthz?a=b")
    assert reply.status_code == 301
    assert reply.headers["location"].startswith("https://localhost")


def test_a_relay_that_ends_is_no_end_for_its_clients(front: Front, served: Stack, bus: Bus, session_id: str) -> None:
    """Without this clients behind a proxy would not learn that they should come back, or could not."""
    with _feed(front, session_id) as feed:
        assert json.loads(feed.recv(timeout=20))["type"] == "connection"
        ids = emit(bus, session_id, 2)
        _until(feed, ids[-1])
        served.stop("relay", signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            _until(feed, 0)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
    served.start_relay(seconds=60)
    ids += emit(bus, session_id, 2)
    with _feed(front, session_id, f"?after={ids[1]}") as again:
        _until(again, ids[2])
        _until(again, ids[3])


def test_one_of_two_web_processes_may_go(front: Front, served: Stack, second_port: int) -> None:
    """Without this every deploy would be seen by users, although two web processes run."""
    with httpx.Client(verify=front.context, timeout=20) as http:
        served.stop("web", signal.SIGTERM)
        statuses = {http.get(f"{front.url}/healthz").status_code for _ in range(20)}
        served.start_web()
    assert statuses == {200}


def _statuses(front: Front, address: str, count: int, **headers: str) -> list[int]:
    transport = httpx.HTTPTransport(verify=front.context, local_address=address)
    with httpx.Client(transport=transport, timeout=20) as http:
        url = f"https://localhost:{front.port}/chat/events/nobody"
        return [http.get(url, headers=headers).status_code for _ in range(count)]


def test_strangers_are_counted_by_their_own_address(front: Front) -> None:
    """Without this one stranger could use up the limit of all visitors, or escape their own by a forged header."""
    greedy, modest = (f"127.0.0.{FRONTS.index(front.kind) * 2 + place}" for place in (11, 12))
    # A minute may end in between, and the count begins anew.
    assert 429 in _statuses(front, greedy, 100)
    assert _statuses(front, modest, 1) == [401]
    forged = {"X-Forwarded-For": "192.0.2.77"}
    assert 429 in _statuses(front, greedy, 100, **forged)
