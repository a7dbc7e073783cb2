"""What operators' pages are answered: the overview, the event table and its export, sessions and runs."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson
import pytest

from pipeline.event import Status
from pipeline.store import audit, browsing, conversations
from pipeline.store.browsing import Wanted
from pipeline.store.moments import moment_of, time_text
from tasks.chat import QUEUES
from tests.web.site import ADMIN_KEY, APP_KEY, Site, assert_problem
from web.feed.latency import BOUNDS_SECONDS
from web.operations.event_table import COLUMNS
from web.operations.feed_lag import FeedLag

_PATH = "/api/v1/operations"


class Told(NamedTuple):
    """A session with events that are stored: their ids."""

    session_id: str
    begun: list[int]
    thought: list[int]
    failed: list[int]


def asked(site: Site, path: str, **query: Any) -> Any:
    """What an administrator's key is answered; `from_` is `from`."""
    reply = site.get(f"{_PATH}{path}", ADMIN_KEY, query_string={name.rstrip("_"): it for name, it in query.items()})
    assert reply.status_code == 200, reply.text
    return reply.json


@pytest.fixture(scope="module")
def told(site: Site) -> Told:
    """Ten events, one of which failed."""
    session_id = str(uuid.uuid4())
    begun = site.emit(session_id, 6, "message_received", message_id="m-ops")
    thought = site.emit(session_id, 3, "agent_thinking", text="A Needle 5%_y", message_id="m-ops")
    failed = site.emit(session_id, 1, "agent_thinking", status=Status.FAILED, text="=1+1", message_id="m-other")
    site.recorder().run_until_empty()
    return Told(session_id, begun, thought, failed)


def test_the_overview_tells_load_errors_and_how_things_stand(site: Site, told: Told) -> None:
    """Without this an operator would not see that something goes wrong, or would see what is not so."""
    assert len(told.begun) == 6
    found = asked(site, "/overview", range="5m", event_type=["message_*", "agent_thinking"])
    tiles, length = found["tiles"], len(found["times"])
    assert (tiles["events"], tiles["runs"], tiles["failures"], tiles["error_share"]) == (10, 6, 1, 1.0)
    assert [(one["event_type"], one["events"], one["failed"]) for one in found["stages"]] == [
        ("message_received", 6, 0),
        ("agent_thinking", 4, 1),
    ]
    assert found["bucket_seconds"] == 60
    assert 5 <= length <= 7
    assert sum(found["series"]["volume"]["message_received"]) == 6
    assert list(found["series"]["errors"]) == ["agent_thinking"]
    assert {len(one) for one in found["series"]["volume"].values()} == {length}
    assert set(tiles["connections"]) == {"ws", "sse", "unified", "operators"}
    assert tiles["recorder"] == {"waiting_events": 0, "lag_ms": 0}
    assert set(tiles["queues"]) == set(QUEUES)
    assert tiles["redis"]["memory_bytes"] > 0
    failed = asked(site, "/overview", event_status="failed", event_type="agent_thinking")
    assert (failed["tiles"]["runs"], failed["tiles"]["events"]) == (None, 1)
    again = asked(site, "/overview", range="90d")
    assert (again["bucket_seconds"], again["rolled_up_seconds"]) == (43_200, 21_600)
    assert len(again["times"]) <= 300


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("overview", "range=1m"),
        ("overview", "range=91d"),
        ("overview", "range=soon"),
        ("overview", "range=1h&from=2026-01-01"),
        ("overview", "to=2026-01-01"),
        ("overview", "from=2026-01-01"),
        ("overview", "from=99999999999999999"),
        ("overview", "event_status=gone"),
        ("events", "before=x"),
        ("events", "limit=501"),
        ("events", "text=%00"),
        ("events", f"session_id={'x' * 65}"),
        ("events/export", "format=xlsx"),
        ("sessions", "before=1"),
        ("sessions", "before=1.%20"),
        ("sessions", f"q={'x' * 201}"),
        ("sessions/s%20s/runs", ""),
    ],
)
def test_what_makes_no_sense_is_refused(site: Site, path: str, query: str) -> None:
    """Without this a mistyped filter would show everything, and nobody would see why."""
    assert_problem(site.get(f"{_PATH}/{path}?{query}", ADMIN_KEY), 422)
    assert_problem(site.get(f"{_PATH}/{path}", APP_KEY), 403, "insufficient_scope")


def test_the_event_table_is_filtered(site: Site, told: Told) -> None:
    """Without this an operator would look for one event among millions by hand."""

    def ids(**query: Any) -> list[int]:
        return [event["id"] for event in asked(site, "/events", session_id=told.session_id, **query)["events"]]

    every = [*told.begun, *told.thought, *told.failed][::-1]
    assert ids() == every
    assert ids(event_type="agent_*", event_status="started") == told.thought[::-1]
    assert ids(text="needle 5%_Y") == told.thought[::-1]
    assert ids(text="needle 5%%y") == []
    assert ids(message_id="m-other") == told.failed
    assert ids(category="audit") == []
    assert ids(user_id="nobody") == []
    first, last = (time_text(moment_of(event_id)) for event_id in (told.begun[2], told.thought[0]))
    assert ids(from_=first, to=last) == [*told.begun[2:], told.thought[0]][::-1]
    assert ids(range="5m") == every
    assert (
        asked(site, "/events", message_id="m-other", limit=1)["events"][0] == site.page(told.session_id)["events"][-1]
    )


def test_the_event_table_is_paged_to_its_end(site: Site, told: Told) -> None:
    """Without this events would be missing between two pages, or stand on both."""
    found: list[int] = []
    query: dict[str, Any] = {}
    while query.get("before", 0) is not None:
        page = asked(site, "/events", session_id=told.session_id, limit=3, event_type="message_received", **query)
        found += [event["id"] for event in page["events"]]
        assert page["has_more"] == (page["next"] is not None)
        query = {"before": page["next"]}
    assert found == told.begun[::-1]


def test_a_page_looks_at_a_bounded_number_of_events(site: Site, told: Told) -> None:
    """Without this one search for what is rare would keep the database busy for minutes."""
    wanted = Wanted(session_id=told.session_id, text="needle")
    found, following = browsing.newest_events(site.store, wanted, None, 50, look_at=2)
    assert ([event.id for event in found], following) == (told.thought[-1:], told.thought[-1])
    found, following = browsing.newest_events(site.store, wanted, told.begun[-1], 50, look_at=2)
    assert (found, following) == ([], told.begun[-3])
    assert browsing.newest_events(site.store, wanted, told.begun[0], 50, look_at=2) == ([], None)


def test_an_export_is_safe_bounded_and_told(make_site: Callable[..., Site], session_id: str) -> None:
    """Without this a spreadsheet would run what a user wrote, or an export would never end, and nobody know of it."""
    site = make_site(SPANFEED_OPERATIONS_EXPORT_LIMIT_EVENTS="203", SPANFEED_OPERATIONS_LOOK_LIMIT_EVENTS="50")
    ids = site.emit(session_id, 204, text="=1+1", data={"n": '"x",\n'})
    site.recorder().run_until_empty()
    reply = site.get(f"{_PATH}/events/export?format=csv&text=1%2B1", ADMIN_KEY)
    assert reply.headers["Content-Disposition"].startswith('attachment; filename="events-')
    head, *rows = csv.reader(io.StringIO(reply.get_data(as_text=True), newline=""))
    assert head == COLUMNS
    assert [int(row[0]) for row in rows] == ids[:0:-1]
    assert {row[COLUMNS.index("user_message")] for row in rows} == {"'=1+1"}
    assert orjson.loads(rows[0][COLUMNS.index("event_data")]) == {"n": '"x",\n'}
    lines = site.get(f"{_PATH}/events/export?format=ndjson&session_id={session_id}", ADMIN_KEY).data.splitlines()
    assert [orjson.loads(line) for line in lines[:3]] == site.page(session_id)["events"][:-4:-1]
    kept = [entry for entry in audit.newest(site.store, 2) if "1+1" in str(entry.details)]
    assert [(entry.action, entry.actor) for entry in kept] == [("events.export", "key:admin")]


def test_sessions_and_runs(make_site: Callable[..., Site]) -> None:
    """Without this nobody would find the conversation that a user complains of."""
    site = make_site()
    names = [f"session.{number}" for number in range(5)]
    for name in names:
        said = [site.say(name, user_id=f"user-{name}", owner="key:app") for _ in range(2)]
        conversations.save_answer(site.store, message_id=said[0], content="So.", answer={}, confidence=None)
    with site.store.write() as connection:
        conversations.fail_message(connection, said[1], "failed", "timeout", "So far")
    first = asked(site, "/sessions", limit=3)
    second = asked(site, "/sessions", limit=3, before=first["next"])
    assert [one["session_id"] for one in [*first["sessions"], *second["sessions"]]] == names[::-1]
    assert (second["has_more"], second["next"]) == (False, None)
    assert (first["sessions"][0]["runs"], first["sessions"][0]["last_status"]) == (2, "failed")
    assert first["sessions"][1]["last_status"] == "accepted"
    assert [one["session_id"] for one in asked(site, "/sessions", q="R-SESSION.2")["sessions"]] == ["session.2"]
    assert len(asked(site, "/sessions", q="key:app")["sessions"]) == 5
    assert asked(site, "/sessions", q="%")["sessions"] == []
    page = asked(site, f"/sessions/{names[-1]}/runs", limit=1)
    [run] = page["runs"]
    assert (run["message_id"], run["status"], run["reason"], run["partial"]) == (said[1], "failed", "timeout", True)
    [older] = asked(site, f"/sessions/{names[-1]}/runs", before=page["next"])["runs"]
    assert (older["message_id"], older["status"], older["partial"]) == (said[0], "completed", False)
    assert older["duration_ms"] >= 0
    assert "hello?" not in str(page)
    assert [one["status"] for one in asked(site, f"/sessions/{names[0]}/runs")["runs"]] == ["queued", "completed"]
    assert_problem(site.get(f"{_PATH}/sessions/none/runs", ADMIN_KEY), 404, "not_found")


def test_the_feeds_lag_is_that_of_the_last_minute() -> None:
    """Without this a bad morning would be shown all day."""

    def process(*counts: int) -> dict[str, Any]:
        filled = [*counts, *[0] * (len(BOUNDS_SECONDS) + 1 - len(counts))]
        return {"latencies": {"emit_to_socket": {"counts": filled, "sum": 0.0}}}

    lag = FeedLag()
    assert lag.look([process()], 0.0) is None
    assert lag.look([process(0, 10), process(0, 10)], 10.0) == pytest.approx(
        {"p50": 0.75, "p95": 0.975, "p99": 0.995}, abs=0.01
    )
    assert lag.look([process(0, 20)], 80.0) is None
    slow = lag.look([process(0, 20, 0, 5)], 90.0)
    assert slow is not None
    assert slow["p50"] == 3.75
    assert lag.look([process(1)], 91.0) == pytest.approx({"p50": 0.25, "p95": 0.475, "p99": 0.495}, abs=0.01)


def test_without_redis_the_overview_tells_what_is_stored(site: Site, told: Told) -> None:
    """Without this operators would see nothing at the very moment when Redis is away."""
    del told
    away = Site(site.settings.home_path, "redis://127.0.0.1:1/0")
    try:
        found = asked(away, "/overview", event_type="message_received")
    finally:
        away.close()
    assert found["tiles"]["events"] == 6
    assert [found["tiles"][name] for name in ("queues", "recorder", "redis", "workers")] == [None] * 4
