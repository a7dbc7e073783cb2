"""One Valkey and one migrated database for the tests of subscriptions; each test has receivers of its own."""

from __future__ import annotations

import contextlib
import datetime
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.bus import Bus, open_bus
from pipeline.settings import Settings, load
from pipeline.store import Store, deliveries, migrate, open_store, subscriptions
from pipeline.store.deliveries import Delivery
from pipeline.store.subscriptions import Subscription
from pipeline.subscriptions.delivering import Deliverer
from pipeline.subscriptions.feeding import Feeder
from pipeline.unified import EventRouter, EventSystem
from tests.parts.mail_part import MailPart
from tests.parts.redis_part import RedisPart
from tests.parts.webhook_part import WebhookPart


class Delivering:
    """A feeder and a deliverer on one bus and one database; a worker's part is played by the test's own thread."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.settings: Settings = load(environment)
        self.store: Store = open_store(self.settings)
        self.bus: Bus = open_bus(self.settings)
        self.events = EventSystem(EventRouter(), self.settings, self.bus)
        self.due: list[str] = []
        self.feeder = Feeder(self.settings, self.bus, self.store, self.due.append)
        self.deliverer = Deliverer(self.settings, self.store, self.events)
        self.bus.handler_log.join("subscriptions")

    def subscribe(self, target: str, **more: Any) -> Subscription:
        """Makes a subscription of an operator's, of the log from now on."""
        now = datetime.datetime.now(datetime.UTC)
        fields: dict[str, Any] = {
            "subscription_id": f"sub_{uuid.uuid4().hex[:20]}",
            "owner": "key:main",
            "sees": "operator",
            "key_family": None,
            "name": "Orders",
            "channel": "email" if "@" in target else "webhook",
            "target": target,
            "event_types": ["order.*"],
            "categories": [],
            "priorities": [],
            "session_id": None,
            "user_id": None,
            "enabled": True,
            "secret_version": 1,
            "since_id": self.bus.clock()[1],
            "created_at": now,
            "updated_at": now,
        }
        made = Subscription(**{**fields, **more})
        assert subscriptions.add(self.store, made, 1_000, 1_000)
        return made

    def feed(self) -> list[str]:
        """Reads all of the log; gives the subscriptions for which somebody was sent."""
        while any(one.waiting + one.pending for one in self.bus.handler_log.facts() if one.name == "subscriptions"):
            self.feeder.turn()
        self.feeder._look_at = 0.0
        self.feeder.turn()
        found, self.due[:] = sorted(set(self.due)), []
        return found

    def run(self) -> None:
        """Feeds, and serves what is due, once."""
        for subscription_id in self.feed():
            self.deliverer.serve(subscription_id)

    def log(self, one: Subscription) -> list[Delivery]:
        """The delivery log, the oldest first."""
        return deliveries.page(self.store, one.subscription_id, 1_000)[::-1]

    def again(self, one: Subscription) -> Subscription:
        """The subscription as it stands now."""
        found = subscriptions.find(self.store, one.subscription_id)
        assert found is not None
        return found

    def told(self, prefix: str) -> list[dict[str, Any]]:
        """The events of the log whose types begin so."""
        wires = [entry.wire for entry in self.bus.log.read_log(0, 2**53, 100_000) if entry.wire is not None]
        return [event for event in map(orjson.loads, wires) if event["event_type"].startswith(prefix)]

    def close(self) -> None:
        """Ends the connections."""
        self.store.close()
        self.bus.close_connections()


@pytest.fixture(scope="package")
def subscriptions_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisPart]:
    """The server."""
    part = RedisPart(tmp_path_factory.mktemp("subscriptions-valkey"))
    yield part
    part.stop(kill=True)


@pytest.fixture(scope="package")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that is copied for each test: migrating takes a second."""
    folder = tmp_path_factory.mktemp("subscriptions-database")
    opened = open_store(load({"SPANFEED_HOME": str(folder)}))
    migrate.upgrade(opened)
    with opened.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    opened.close()
    return folder / "spanfeed.db"


@pytest.fixture
def make(subscriptions_valkey: RedisPart, migrated: Path, tmp_path: Path) -> Iterator[Callable[..., Delivering]]:
    """Makes deliverings with settings of their own, on an empty log and an empty database."""
    shutil.copy(migrated, tmp_path / "spanfeed.db")
    with subscriptions_valkey.client() as client:
        client.flushall()
    with contextlib.ExitStack() as stack:

        def begin(**environment: str) -> Delivering:
            made = Delivering(
                {
                    "REDIS_URL": subscriptions_valkey.url,
                    "SPANFEED_HOME": str(tmp_path),
                    "SPANFEED_SECRET_KEY": "s" * 40,
                    "SPANFEED_EMIT_DEADLINE_MS": "5000",
                    "SPANFEED_WEBHOOK_ALLOW_HTTP": "true",
                    "SPANFEED_WEBHOOK_PRIVATE_NETWORKS": "127.0.0.0/8, ::1",
                    "SPANFEED_DELIVERY_BACKOFF_SECONDS": "0",
                    **environment,
                }
            )
            stack.callback(made.close)
            return made

        yield begin


@pytest.fixture
def delivering(make: Callable[..., Delivering]) -> Delivering:
    """One whose further attempts are due at once."""
    return make()


@pytest.fixture
def receiver() -> Iterator[WebhookPart]:
    """A receiver over plain HTTP."""
    part = WebhookPart()
    yield part
    part.close()


@pytest.fixture
def mails() -> Iterator[MailPart]:
    """A mail server."""
    part = MailPart()
    yield part
    part.close()
