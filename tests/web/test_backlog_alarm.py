"""When the recorder is behind: operators are told once, and Redis does not fill with what may be missed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.event import Category, Identity, Priority, State, Status
from tests.web.site import Site, emit
from web.backlog_alarm import BacklogAlarm


def told(site: Site) -> list[dict[str, Any]]:
    """The alarms in the log, oldest first."""
    found = [json.loads(entry.wire or b"{}") for entry in site.bus.log.read_log(0, 2**53, 10_000)]
    return [event for event in found if event["event_type"] == "system.alert"]


def look(site: Site, database_away: bool = False) -> None:
    """One look of a recorder that has just begun."""
    BacklogAlarm(site.settings, site.bus).look(database_away)


def test_an_episode_is_told_once_when_it_begins_and_once_when_it_is_over(
    make_site: Callable[..., Site], session_id: str
) -> None:
    """Operators would learn of missing records from their users; or be woken by an alarm a second."""
    site = make_site(SPANFEED_RECORDER_ALARM_EVENTS="10", SPANFEED_RECORDER_ALARM_OVER_EVENTS="3")
    site.emit(session_id, 9)
    look(site)
    assert told(site) == []
    for number in range(3):
        site.emit(session_id, 5)
        look(site, database_away=number == 0)
    [raised] = told(site)
    assert (raised["category"], raised["priority"], raised["session_id"]) == ("monitoring", "critical", None)
    assert raised["event_data"] == {"alert": "recorder_backlog", "state": "raised", "backlog": 14}
    assert "14 events behind" in raised["user_message"]
    site.recorder().run_until_empty()
    for _ in range(3):
        look(site)
    resolved = told(site)[-1]
    assert (resolved["priority"], resolved["event_data"]["state"]) == ("high", "resolved")
    site.emit(session_id, 12)
    for _ in range(2):
        look(site)
    assert told(site)[-1]["event_data"]["state"] == "raised"
    assert told(site)[-1]["priority"] == "high"


def test_between_the_bounds_an_alarm_stays(make_site: Callable[..., Site], session_id: str) -> None:
    """A backlog that swings about one bound would raise an alarm at each swing."""
    site = make_site(SPANFEED_RECORDER_ALARM_EVENTS="10", SPANFEED_RECORDER_ALARM_OVER_EVENTS="3")
    site.emit(session_id, 10)
    look(site)
    for _ in range(3):
        held = site.bus.log.read_new("a recorder", 5, 0)
        site.bus.log.acknowledge(held)
        look(site)
        site.emit(session_id, 5)
        look(site)
    assert [event["event_data"]["state"] for event in told(site)] == ["raised"]


def append(site: Site, status: Status | None, key: str, **more: Any) -> int:
    """Appends one event; its id, 0 when it was dropped."""
    span = ("m-1", more.pop("span")) if "span" in more else None
    fields = {"category": Category.WORKFLOW, "priority": Priority.NORMAL, "session_id": "s", **more}
    return site.bus.append(Identity("custom.thing", **fields), State(status), key, ordinary_span=span)


FULL = {"SPANFEED_LOG_LIMIT_EVENTS": "5"}
MAY_BE_MISSED: dict[str, dict[str, Any]] = {
    "progress": {"status": Status.PROGRESS},
    "an event without status": {"status": None},
    "an ordinary span": {"status": Status.STARTED, "span": "b" * 16},
}
MUST_BE_WRITTEN: dict[str, dict[str, Any]] = {
    "a beginning": {"status": Status.STARTED},
    "an ending": {"status": Status.COMPLETED},
    "an error": {"status": Status.FAILED},
    "an audit": {"status": None, "category": Category.AUDIT},
    "a security event": {"status": Status.PROGRESS, "category": Category.SECURITY},
    "an alert": {"status": None, "category": Category.MONITORING, "priority": Priority.CRITICAL},
    "what matters much": {"status": Status.PROGRESS, "priority": Priority.HIGH},
}


@pytest.mark.parametrize("name", [*MAY_BE_MISSED, *MUST_BE_WRITTEN])
def test_a_full_log_takes_only_what_must_not_be_missed(
    make_site: Callable[..., Site], session_id: str, name: str
) -> None:
    """With the database away for hours Redis would fill up and then refuse beginnings and endings too."""
    site = make_site(**FULL)
    more = MAY_BE_MISSED.get(name) or MUST_BE_WRITTEN[name]
    assert append(site, key="before", **more) > 0
    site.emit(session_id, 5)
    before = len(site.bus.log.read_log(0, 2**53, 100))
    again = {**more, "span": "c" * 16} if "span" in more else more
    written = append(site, key="full", **again)
    assert (written > 0) == (name in MUST_BE_WRITTEN)
    assert len(site.bus.log.read_log(0, 2**53, 100)) == before + (name in MUST_BE_WRITTEN)
    assert site.bus.log.dropped() == (name in MAY_BE_MISSED)
    site.recorder().run_until_empty()
    site.bus.log.trim()
    if name in MAY_BE_MISSED:
        assert append(site, key="full", **again) == 0 or len(site.bus.log.read_log(0, 2**53, 100)) <= before


def test_an_open_span_is_ended_and_a_dropped_one_is_not(make_site: Callable[..., Site], session_id: str) -> None:
    """A span that was shown would stay open on the operators' page; one that was not would end without a beginning."""
    site = make_site(**FULL)
    assert append(site, Status.STARTED, "1", span="a" * 16) > 0
    site.emit(session_id, 5)
    assert append(site, Status.STARTED, "2", span="b" * 16) == 0
    assert append(site, Status.COMPLETED, "3", span="b" * 16) == 0
    assert append(site, Status.COMPLETED, "4", span="a" * 16) > 0


def test_the_end_of_an_alarm_says_what_was_dropped(make_site: Callable[..., Site], session_id: str) -> None:
    """Nobody could tell how much of the progress is missing from the record."""
    site = make_site(
        SPANFEED_LOG_LIMIT_EVENTS="12", SPANFEED_RECORDER_ALARM_EVENTS="10", SPANFEED_RECORDER_ALARM_OVER_EVENTS="3"
    )
    site.emit(session_id, 11)
    look(site)
    emit(site.bus, session_id, 7, status=Status.PROGRESS)
    site.recorder().run_until_empty()
    look(site)
    assert told(site)[-1]["event_data"] == {
        "alert": "recorder_backlog",
        "state": "resolved",
        "backlog": 0,
        "dropped": 7,
    }
