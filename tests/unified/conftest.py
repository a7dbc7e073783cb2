"""One Valkey for the tests of unified events, each of which begins with an empty log and no handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline import settings as settings_table
from pipeline.bus import Bus, Frame, open_bus
from pipeline.settings import Settings
from pipeline.unified import event_router, initialize_event_system, shutdown_event_system
from tests.parts.redis_part import RedisPart
from tests.parts.waiting import wait_for


@pytest.fixture(scope="session")
def unified_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisPart]:
    """The server; a test that harms it takes one of its own."""
    part = RedisPart(tmp_path_factory.mktemp("unified-valkey"))
    yield part
    part.stop(kill=True)


@pytest.fixture
def environment(unified_valkey: RedisPart, tmp_path: Path) -> dict[str, str]:
    """The environment of a program beside the tests."""
    return {
        "REDIS_URL": unified_valkey.url,
        "SPANFEED_HOME": str(tmp_path),
        "SPANFEED_EMIT_DEADLINE_MS": "5000",
        "SPANFEED_SECRET_KEY": "s" * 40,
    }


@pytest.fixture
def unified_settings(environment: dict[str, str]) -> Settings:
    """The same as settings."""
    return settings_table.load(environment)


@pytest.fixture(autouse=True)
def system(request: pytest.FixtureRequest, unified_valkey: RedisPart) -> Iterator[None]:
    """This process's event system on an empty server; afterwards its handlers are gone."""
    with unified_valkey.client() as client:
        client.flushall()
    initialize_event_system(request.getfixturevalue("unified_settings"))
    yield
    shutdown_event_system()
    for one in [*event_router.handlers.all()]:
        event_router.remove_handler(one.id)


@pytest.fixture
def log(unified_valkey: RedisPart) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Everything that was written, oldest first."""
    client = unified_valkey.client()

    def read() -> list[dict[str, Any]]:
        raw: Any = client.xrange("sf:{0}:log")
        return [orjson.loads(fields[b"e"]) for _, fields in raw]

    yield read
    client.close()


@pytest.fixture
def listen(unified_settings: Settings) -> Iterator[Callable[..., Callable[[int], list[Frame]]]]:
    """Follows channels and gives a function that reads so many frames of them."""
    bus: Bus = open_bus(unified_settings)
    opened = []

    def start(*channels: str) -> Callable[[int], list[Frame]]:
        subscription = bus.subscribe()
        opened.append(subscription)
        for channel in channels:
            subscription.follow(channel)
            wait_for(lambda name=channel: subscription.read(1) == name, "the subscription")  # type: ignore[misc]

        def read(count: int) -> list[Frame]:
            found: list[Frame] = []
            while len(found) < count:
                frame = subscription.read(20)
                assert frame is not None, f"only {len(found)} of {count} frames came"
                if isinstance(frame, Frame) and frame.event_type != "epoch":
                    found.append(frame)
            return found

        return read

    yield start
    for one in opened:
        one.close()
    bus.close_connections()
