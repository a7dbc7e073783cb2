"""The operators' overview over 5,000,000 counted events, against counting the newest events themselves.

`python -m benchmarks.overview [--events 5000000] [--stored 100000] [--pairs 10] [--database postgresql|sqlite]
[--json]`
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from flask.testing import FlaskClient
from sqlalchemy import func, insert, select

from benchmarks.pairs import Comparison, Goal, compare
from benchmarks.report import show
from pipeline import settings as settings_table
from pipeline.store import Store, migrate, open_store
from pipeline.store.class_lines import MINUTE, lines
from pipeline.store.models import event_classes, events
from pipeline.store.moments import id_at, moment_of
from pipeline.store.rows import Row
from tests.parts.postgres_part import PostgresPart
from tests.parts.redis_part import SERVERS, RedisPart
from web import create_app

_DAYS = 30
_HOUR_US = 3_600_000_000
_BLOCK_US = 6 * _HOUR_US
_STAGES = {
    "message_received": 8,
    "agent_thinking": 60,
    "tool_search_documents": 40,
    "response_generation": 900,
    "saving_message": 6,
    "span": 25,
}
"""The stages of a question with its ordinary spans, and how many ms each takes mostly."""
_FAILED_SHARE = 0.01
_RANGES = ("1h", "24h", "7d", "30d", "90d")
_KEY = {"X-API-Key": "the key of this benchmark"}


def run_of(chance: random.Random, at: int) -> Iterator[Row]:
    """The events of a question that is asked at that moment."""
    for name, usual_ms in _STAGES.items():
        took = round(usual_ms * chance.lognormvariate(0, 0.7))
        status = "failed" if chance.random() < _FAILED_SHARE else "completed"
        for event_id, word in ((at, "started"), (at + took * 1000, status)):
            category = "monitoring" if name == "span" else "workflow"
            made = Row(id=event_id, event_type=name, category=category, priority="normal", event_status=word)
            made.processing_time_ms = None if word == "started" else took
            yield made
        at += took * 1000 + 1


def fill(store: Store, count: int, stored: int) -> None:
    """Counts events of the last 30 days, as the recorder would have, and stores the newest `stored` of them."""
    chance, now = random.Random(5), id_at(datetime.datetime.now(datetime.UTC))
    first = (now - _DAYS * 86_400_000_000) // _BLOCK_US
    runs = count // (2 * len(_STAGES) * _DAYS * 4)
    kept: list[Row] = []
    minutes_from = now - store.settings.retention_overview_minutes_hours * _HOUR_US
    names = [column.name for column in event_classes.c]
    for block in range(first, first + _DAYS * 4):
        begin = block * _BLOCK_US
        made = [row for _ in range(runs) for row in run_of(chance, begin + chance.randrange(_BLOCK_US))]
        # What reaches into the next six hours would be counted in a line that is there already.
        made = [row for row in made if row.id < begin + _BLOCK_US]
        counted = [line for line in lines(made) if line[0] > MINUTE or begin >= minutes_from]
        with store.write() as connection:
            connection.execute(insert(event_classes), [dict(zip(names, line, strict=True)) for line in counted])
        kept = [*kept, *made][-stored:]
        if (block - first) % 40 == 0:
            print(f"{(block - first) // 4} of {_DAYS} days are counted", file=sys.stderr)
    by_id = {row.id: row for row in kept}
    with store.write() as connection:
        connection.execute(insert(events), [_stored(row) for row in by_id.values()])


def _stored(row: Row) -> dict[str, Any]:
    return row.fields() | {"timestamp": moment_of(row.id)}


def from_events(store: Store) -> Callable[[], None]:
    """The peer: counts by minute, type and status, and all durations, from which percentiles would be told."""
    minute = (events.c.id - events.c.id % 60_000_000).label("minute")
    by = (events.c.event_type, events.c.event_status)
    counted = select(minute, *by, func.count()).group_by("minute", *by)
    durations = select(events.c.event_type, events.c.processing_time_ms).where(events.c.processing_time_ms.is_not(None))

    def ask() -> None:
        with store.read() as connection:
            connection.execute(counted).all()
            connection.execute(durations).all()

    return ask


def over_http(client: FlaskClient, length: str) -> Callable[[], None]:
    """Ours: the whole answer, within the web's process."""

    def ask() -> None:
        reply = client.get(f"/api/v1/operations/overview?range={length}", headers=_KEY)
        if reply.status_code != 200:
            raise RuntimeError(reply.text)

    return ask


def _took_ms(ask: Callable[[], None]) -> float:
    begun = time.perf_counter()
    ask()
    return (time.perf_counter() - begun) * 1000


def measure(database: str, server: str, count: int, stored: int, pairs: int) -> list[Comparison]:
    """Each range by turns with the peer, after one run of each to warm up."""
    with place(database, server) as environment:
        settings = settings_table.load(environment)
        store, app = open_store(settings), create_app(settings)
        migrate.upgrade(store)
        fill(store, count, stored)
        peer, client, found = from_events(store), app.test_client(use_cookies=False), []
        for length in _RANGES:
            ours = over_http(client, length)
            took = [(_took_ms(ours), _took_ms(peer)) for _ in range(pairs + 1)][1:]
            goal = Goal("<=", 300, ours=True) if length == "30d" else None
            name = f"{database}: overview of {length} over {count:,} events"
            found.append(compare(name, "ms", f"counting {stored:,} events themselves", took, goal))
        store.close()
        return found


@contextlib.contextmanager
def place(database: str, server: str) -> Iterator[dict[str, str]]:
    """The servers, as settings."""
    with tempfile.TemporaryDirectory(prefix="sf-bench-") as folder:
        redis = RedisPart(Path(folder) / "redis", server)
        postgres = PostgresPart() if database == "postgresql" else None
        try:
            yield {
                "SPANFEED_HOME": folder,
                "REDIS_URL": redis.url,
                "DATABASE_URL": "" if postgres is None else postgres.new_database(),
                "SPANFEED_API_KEY": _KEY["X-API-Key"],
                "SPANFEED_SECRET_KEY": "a secret of this benchmark, long enough",
                "SPANFEED_RELAYS": "0",
                "OTEL_TRACES_EXPORTER": "none",
            }
        finally:
            redis.stop()
            if postgres is not None:
                postgres.stop()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5_000_000, help="that are counted")
    parser.add_argument("--stored", type=int, default=100_000, help="that lie in the table, for the peer")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), action="append", help="default: both")
    parser.add_argument("--server", choices=SERVERS, default="valkey")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found: list[Comparison] = []
    for database in asked.database or ("postgresql", "sqlite"):
        found += measure(database, asked.server, asked.events, asked.stored, asked.pairs)
    show(found, asked.json)


if __name__ == "__main__":
    main()
