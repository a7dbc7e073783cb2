"""Redis or the database is away: clear words, soon, and nothing half done."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from pipeline.bus import keys
from pipeline.store import conversations
from tests.parts.ports import free_port
from tests.parts.redis_part import RedisPart
from tests.parts.stack import Stack
from tests.parts.waiting import wait_for
from tests.web.site import Site, assert_problem

ASYNC = {"Prefer": "respond-async"}


@pytest.fixture(scope="module", params=["after a message", "before the first message"])
def dark(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A web server whose Redis was killed."""
    part = RedisPart(tmp_path_factory.mktemp("redis"))
    stack = Stack(tmp_path_factory.mktemp("home"), part).start(worker=False, recorder=False)
    if request.param == "after a message":
        stack.ask_async("How?", "earlier")
    part.stop(kill=True)
    yield stack
    stack.close()


@pytest.mark.parametrize("headers", [{}, ASYNC], ids=["waiting", "not waiting"])
def test_a_message_that_cannot_be_sent_yet_is_kept(dark: Stack, session_id: str, headers: dict[str, str]) -> None:
    """A user would have to say everything again after a hiccup of Redis, or would not know what became of it."""
    with dark.client() as client:
        reply = client.post("/chat/", json={"message": "How?", "session_id": session_id}, headers=headers)
        assert reply.status_code == 202, reply.text
        found = client.get(reply.headers["Location"]).json()
    assert (found["status"], found["answer"]) == ("queued", None)
    [said] = conversations.conversation(dark.store, session_id)
    assert (said.message_id, said.status, said.content) == (reply.json()["message_id"], "accepted", "How?")


def test_what_is_stored_can_still_be_read(dark: Stack, session_id: str) -> None:
    """Without Redis a user could not even see what was said before."""
    conversations.open_session(dark.store, session_id, "key:main", None, "en")
    with dark.client() as client:
        for path in ("/chat/events/{}", "/chat/events/{}?after=1", "/chat/events/{}/latest", "/chat/{}"):
            assert client.get(path.format(session_id)).status_code == 200
        assert client.get("/readyz").json()["checks"] == {"redis": "down", "database": "ok"}


def test_a_feed_that_cannot_be_followed_is_closed_for_now(dark: Stack, session_id: str) -> None:
    """A client would sit before a feed that stays silent."""
    from websockets.exceptions import ConnectionClosed

    from tests.parts.feed_client import FeedClient
    from tests.parts.stack import KEY

    client = FeedClient(dark.url, session_id, KEY)
    with pytest.raises(ConnectionClosed) as closed:
        client.next()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012


def test_when_redis_is_back_messages_are_sent_again(
    make_stack: Callable[..., Stack], valkey: RedisPart, session_id: str
) -> None:
    """After an outage the server would have to be restarted by hand."""
    stack = make_stack().start(worker=False, recorder=False)
    valkey.stop(kill=True)
    with stack.client() as client:
        body = {"message": "How?", "session_id": session_id}
        assert client.post("/chat/", json=body, headers=ASYNC).status_code == 202
        valkey.start()
        wait_for(lambda: client.get("/readyz").status_code == 200, "readiness")
        message_id = client.post("/chat/", json=body, headers=ASYNC).json()["message_id"]
    assert valkey.client().exists(keys.run(message_id))


@pytest.mark.parametrize("used", [True, False], ids=["after a message", "before the first message"])
def test_a_redis_that_hangs_holds_nobody_for_long(
    make_stack: Callable[..., Stack], valkey: RedisPart, used: bool
) -> None:
    """Every user would sit before a request that never ends."""
    stack = make_stack().start(worker=False, recorder=False)
    conversations.open_session(stack.store, "earlier", "key:main", None, "en")
    if used:
        stack.ask_async("How?", "earlier")
    valkey.signal(signal.SIGSTOP)

    def ask(method: str, path: str) -> int:
        body = {"message": "How?"} if method == "POST" else None
        with stack.client() as client:
            return client.request(method, path, json=body, headers=ASYNC, timeout=12).status_code

    asked = [("GET", "/health"), ("GET", "/readyz"), ("GET", "/chat/events/earlier"), ("GET", "/chat/earlier")]
    with ThreadPoolExecutor(5) as pool:
        statuses = list(pool.map(lambda one: ask(*one), [*asked, ("POST", "/chat/")]))
    assert statuses == [200, 503, 200, 200, 202]


@pytest.fixture
def without_database(make_site: Callable[..., Site]) -> Site:
    """An app whose database does not answer."""
    return make_site(DATABASE_URL=f"postgresql://somebody:secret-word@127.0.0.1:{free_port()}/none")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/chat/"),
        ("GET", "/chat/s"),
        ("DELETE", "/chat/s"),
        ("GET", "/chat/s/messages/m"),
        ("POST", "/chat/s/token"),
        ("GET", "/chat/events/s"),
        ("GET", "/chat/events/s?after=1"),
        ("GET", "/chat/events/s/latest"),
        ("POST", "/page/session"),
    ],
)
def test_a_database_that_is_away_is_said_so(without_database: Site, method: str, path: str) -> None:
    """A client would take an outage for an empty conversation, or read where the database lies."""
    reply = without_database.ask(method, path, json={"message": "How?"})
    assert assert_problem(reply, 503) == "The database does not answer at the moment. Please try again."
    assert 1 <= int(reply.headers["Retry-After"]) <= 5
    assert "secret-word" not in reply.text


def test_a_database_without_tables_is_no_secret_teller(make_site: Callable[..., Site], tmp_path: Path) -> None:
    """Before its migration the server would show its queries to strangers."""
    site = make_site(DATABASE_URL=f"sqlite:///{tmp_path}/empty.db")
    reply = site.get("/chat/s")
    assert_problem(reply, 503)
    assert "SELECT" not in reply.text
    assert "chat_sessions" not in reply.text


def test_an_outage_is_over_for_the_next_request(make_stack: Callable[..., Stack], valkey: RedisPart) -> None:
    """A poller would go on reading the database alone after Redis is back, and so miss what is new."""
    from pipeline.bus import open_bus
    from tests.web.site import emit

    stack = make_stack().start(worker=False, recorder=False)
    bus = open_bus(stack.settings())
    [first] = emit(bus, "s")
    valkey.stop(kill=True)
    assert httpx.get(f"{stack.url}/health").status_code == 200
    assert stack.events("s") == []
    valkey.start()
    assert [event["id"] for event in stack.events("s")] == [first]
    bus.close_connections()
