"""The app, the servers and the addresses that the tests of the web share."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from pipeline.bus import Bus, open_bus
from tests.parts.redis_part import RedisPart
from tests.parts.stack import Stack
from tests.web.site import ADMIN_KEY, APP_KEY, Site

_LONG_LIVED = itertools.cycle(range(1, 5))
_SHORT_LIVED = itertools.cycle(range(5, 16))


@pytest.fixture(scope="session")
def shared_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisPart]:
    """One Valkey for all tests that do not harm it: 0 is the servers' database, a site has one of its own."""
    part = RedisPart(tmp_path_factory.mktemp("valkey"))
    yield part
    part.stop(kill=True)


def _emptied(part: RedisPart, number: int) -> str:
    with redis.Redis(port=part.port, db=number, socket_timeout=5) as client:
        client.flushdb()
    return f"redis://127.0.0.1:{part.port}/{number}"


@pytest.fixture(scope="module")
def site(shared_valkey: RedisPart, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An app for one module's tests, each of which uses sessions of its own."""
    made = Site(tmp_path_factory.mktemp("site"), _emptied(shared_valkey, next(_LONG_LIVED))).migrated()
    yield made
    made.close()


@pytest.fixture
def make_site(shared_valkey: RedisPart, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes apps with settings of their own, on one home and one empty log."""
    address = _emptied(shared_valkey, next(_SHORT_LIVED))
    made: list[Site] = []

    def make(**environment: str) -> Site:
        site = Site(tmp_path / "home", environment.pop("REDIS_URL", address), **environment)
        made.append(site)
        return site if environment.get("DATABASE_URL") else site.migrated()

    yield make
    for site in made:
        site.close()


@pytest.fixture
def session_id() -> str:
    """A session that no other test uses."""
    return str(uuid.uuid4())


_SERVER = {
    "GOVSTACK_API_KEY": APP_KEY,
    "GOVSTACK_ADMIN_API_KEY": ADMIN_KEY,
    "SPANFEED_ALLOWED_ORIGINS": "https://chat.example.org",
}
_HASTY = {
    "SPANFEED_ANSWER_DEADLINE_SECONDS": "1",
    "SPANFEED_FEED_KEEPALIVE_SECONDS": "1",
    "SPANFEED_FEED_SEND_TIMEOUT_SECONDS": "2",
    "SPANFEED_FEED_SOCKETS_PER_SESSION_LIMIT": "2",
    "SPANFEED_FEED_SOCKETS_LIMIT": "5",
    "SPANFEED_RELAY_SOCKETS_LIMIT": "5",
    "SPANFEED_FEED_SOCKETS_PER_USER_LIMIT": "2",
    "SPANFEED_FEED_SOCKETS_PER_ADDRESS_LIMIT": "4",
    "SPANFEED_FEED_SESSIONS_LIMIT": "3",
    "SSE_MAX_CONNECTIONS_PER_USER": "1",
    "SPANFEED_OPEN_FEEDS": "true",
}
_BRIEF = {
    "SPANFEED_TOKEN_TTL_SECONDS": "3",
    "SPANFEED_FEED_PING_SECONDS": "3",
    "SPANFEED_FEED_FRAMES_BURST": "5",
    "SPANFEED_FEED_FRAMES_PER_SECOND": "0.01",
}


@pytest.fixture(scope="session")
def servers(
    shared_valkey: RedisPart, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str, str], Stack]]:
    """Real web servers without worker and recorder, each made when it is first asked for."""
    made: dict[tuple[str, str], Stack] = {}

    def give(kind: str, way: str) -> Stack:
        if (kind, way) not in made:
            environment = {"server": _SERVER, "hasty": _HASTY, "brief": _BRIEF}[kind]
            home = tmp_path_factory.mktemp(f"{kind}-{way}")
            made[kind, way] = Stack(home, shared_valkey, **environment)
            made[kind, way].start(worker=False, recorder=False, relay=way == "relay")
        return made[kind, way]

    yield give
    for (_, way), stack in made.items():
        stack.close()
        # Otherwise both ways would have been tried the same way.
        assert way != "relay" or "no relay answers" not in stack.log("web")


@pytest.fixture
def way() -> str:
    """How open feeds are served; tests of feeds try both ways."""
    return "threads"


@pytest.fixture
def server(servers: Callable[[str, str], Stack], way: str) -> Stack:
    """A real web server for all tests that do not harm it."""
    return servers("server", way)


@pytest.fixture
def hasty(servers: Callable[[str, str], Stack], way: str) -> Stack:
    """A real web server with short waits and few places for feeds, open to whoever knows a session's id."""
    return servers("hasty", way)


@pytest.fixture
def brief(servers: Callable[[str, str], Stack], way: str) -> Stack:
    """A real web server whose tokens live for seconds, which pings soon and wants to hear little."""
    return servers("brief", way)


@pytest.fixture
def server_bus(server: Stack) -> Iterator[Bus]:
    """A bus beside the servers, to append events as a worker would."""
    opened = open_bus(server.settings())
    yield opened
    opened.close_connections()
