"""One side of the recorder's benchmark, in a process of its own: `python -m benchmarks.recorder_sides SIDE COUNT`.

SIDE is `ours` (the recorder, from the stream), `beside` (the same, one of several that share it), `seed` (one INSERT
and one commit an event, by SQLAlchemy's ORM) or `bare` (COPY, or executemany on SQLite, of rows that lie ready; nothing
else is done). It says `ready` when it is asked for the first time, then answers each line that it reads, the number of
the first event, with one line of JSON: seconds, CPU seconds and its peak memory.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import psycopg
from sqlalchemy.orm import Session, registry

from pipeline import settings as settings_table
from pipeline.bus import open_bus
from pipeline.bus.log import Log
from pipeline.event import Category
from pipeline.settings import Settings
from pipeline.store import open_store
from pipeline.store.models import events
from pipeline.store.moments import timestamp_text
from pipeline.store.rows import row_of
from web.recorder import Recorder, calm_collector

_TYPES = ("message_received", "agent_thinking", "tool_search_documents", "response_generation", "saving_message")
_BATCH_EVENTS = 1_000
_LOOK_SECONDS = 0.002
_NAMES = tuple(column.name for column in events.columns)


def wire(event_id: int) -> bytes:
    """An event as the scripts write it: of one of many sessions, of about 700 bytes."""
    message = event_id // 12
    ended = event_id % 2
    return orjson.dumps(
        {
            "id": event_id,
            "seq": event_id % 1_000,
            "timestamp": timestamp_text(event_id),
            "attempt": 1,
            "processing_time_ms": event_id % 997 if ended else None,
            "queue_time_ms": None if ended else 3,
            "event_type": _TYPES[event_id // 2 % len(_TYPES)],
            "category": Category.WORKFLOW,
            "priority": "normal",
            "session_id": f"{message // 4:032x}",
            "message_id": f"{message:032x}",
            "user_id": "user-1",
            "correlation_id": f"{message:032x}",
            "trace_id": f"{message:032x}",
            "span_id": f"{event_id // 2:016x}",
            "parent_span_id": f"{message:016x}",
            "source_system": "spanfeed",
            "event_status": "completed" if ended else "started",
            "user_message": "🔍 Found 5 potential matches...",
            "event_data": {"collection": "documents", "count": 5},
            "metadata": {},
            "reason": None,
            "error_type": None,
            "task_id": f"{event_id // 2:032x}",
        }
    )


def _rows(first: int, count: int) -> list[dict[str, Any]]:
    return [row_of(wire(first + number)).fields() for number in range(count)]


@dataclasses.dataclass(frozen=True)
class Run:
    """What is measured, and what must be done behind it."""

    measured: Callable[[], None]
    after: Callable[[], None] = lambda: None


def ours(settings: Settings, count: int) -> Callable[[int], Run]:
    """Drains the stream, until at least so many events are stored."""
    return _recorder(settings, lambda recorder, _: recorder.stored < count)


def beside(settings: Settings, count: int) -> Callable[[int], Run]:
    """Drains the stream with others, until nothing waits."""
    return _recorder(settings, lambda _, log: log.backlog() > 0)


def _recorder(settings: Settings, goes_on: Callable[[Recorder, Log], bool]) -> Callable[[int], Run]:
    bus, store = open_bus(settings), open_store(settings)
    calm_collector()

    def prepare(first: int) -> Run:
        recorder = Recorder(settings, bus, store)
        recording = threading.Thread(target=recorder.run)

        def run() -> None:
            recording.start()
            while goes_on(recorder, bus.log) and recording.is_alive():
                time.sleep(_LOOK_SECONDS)

        def after() -> None:
            recorder.stop()
            recording.join(30)

        return Run(run, after)

    return prepare


def seed(settings: Settings, count: int) -> Callable[[int], Run]:
    """A commit an event."""

    class Stored:
        """A mapped row."""

    registry().map_imperatively(Stored, events, properties={"meta": events.c.metadata}, exclude_properties=["metadata"])
    engine = open_store(settings).engine

    def prepare(first: int) -> Run:
        made = [{("meta" if k == "metadata" else k): v for k, v in row.items()} for row in _rows(first, count)]

        def run() -> None:
            for fields in made:
                with Session(engine) as session:
                    one = Stored()
                    for name, value in fields.items():
                        setattr(one, name, value)
                    session.add(one)
                    session.commit()

        return Run(run)

    return prepare


def _tuples(rows: list[dict[str, Any]], sqlite: bool) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        texts = {name: orjson.dumps(row[name]).decode() for name in ("event_data", "metadata")}
        if sqlite:
            texts["timestamp"] = row["timestamp"].isoformat(" ")[:26]
        yield tuple(texts.get(name, row[name]) for name in _NAMES)


def bare(settings: Settings, count: int) -> Callable[[int], Run]:
    """Rows that lie ready, into the same table with the same indexes, as many to a transaction as the recorder has."""
    columns = ", ".join(f'"{name}"' for name in _NAMES)
    url = settings.sqlalchemy_url
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.execute("PRAGMA synchronous=FULL")
        insert = f"INSERT INTO events ({columns}) VALUES ({', '.join('?' * len(_NAMES))})"

        def many(rows: list[tuple[Any, ...]]) -> None:
            with connection:
                connection.executemany(insert, rows)

    else:
        driver = psycopg.connect(url.replace("+psycopg", ""))

        def many(rows: list[tuple[Any, ...]]) -> None:
            with (
                driver.transaction(),
                driver.cursor() as cursor,
                cursor.copy(f"COPY events ({columns}) FROM STDIN") as copy,
            ):
                for row in rows:
                    copy.write_row(row)

    def prepare(first: int) -> Run:
        made = list(_tuples(_rows(first, count), url.startswith("sqlite")))
        batches = [made[at : at + _BATCH_EVENTS] for at in range(0, count, _BATCH_EVENTS)]

        def run() -> None:
            for batch in batches:
                many(batch)

        return Run(run)

    return prepare


def main() -> None:
    """The command."""
    side = {"ours": ours, "beside": beside, "seed": seed, "bare": bare}[sys.argv[1]]
    prepare = side(settings_table.load(), int(sys.argv[2]))
    print("ready", flush=True)
    for line in sys.stdin:
        run = prepare(int(line))
        cpu, began = time.process_time(), time.perf_counter()
        run.measured()
        took = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}
        run.after()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({**took, "peak_mebibytes": peak / 1024}), flush=True)


if __name__ == "__main__":
    main()
