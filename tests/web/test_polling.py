"""Polling: pages, cursors and filters, from what is announced and from what is stored alike."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import redis

from pipeline.bus import keys
from pipeline.event import Category, Priority, Status
from pipeline.store import events as stored_events
from pipeline.store import marks
from tests.web.site import Site

STORED = pytest.mark.parametrize("stored", [False, True], ids=["live", "stored"])
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def _settle(site: Site, stored: bool) -> None:
    if stored:
        site.recorder().run_until_empty()


@STORED
def test_an_event_has_every_field_of_the_seed(site: Site, session_id: str, stored: bool) -> None:
    """A client written for the first seed would stumble over a missing field."""
    site.emit(session_id, text="✍️ Generating response...", data={"a": [1, {"b": None}]})
    _settle(site, stored)
    [event] = site.page(session_id)["events"]
    assert isinstance(event["id"], int)
    assert 0 < event["id"] < 2**53
    assert _TIMESTAMP.fullmatch(event["timestamp"])
    expected: dict[str, Any] = {
        "session_id": session_id,
        "message_id": "m-1",
        "event_type": "agent_thinking",
        "event_status": "started",
        "event_data": {"a": [1, {"b": None}]},
        "user_message": "✍️ Generating response...",
        "processing_time_ms": None,
    }
    assert {name: event[name] for name in expected} == expected


def test_an_event_is_the_same_before_and_after_it_is_stored(site: Site, session_id: str) -> None:
    """A client would take an event that it reads twice for two."""
    site.emit(session_id, 5, data={"text": "é 🔍 \"'\\", "n": 1.5})
    before = site.get(f"/chat/events/{session_id}").data
    site.recorder().run_until_empty()
    assert site.get(f"/chat/events/{session_id}").data == before


@STORED
def test_without_a_cursor_the_newest_are_given(site: Site, session_id: str, stored: bool) -> None:
    """A page that is opened late would show how the session began, not where it stands."""
    ids = site.emit(session_id, 60)
    _settle(site, stored)
    page = site.page(session_id)
    assert [event["id"] for event in page["events"]] == ids[-50:]
    assert (page["total_count"], page["has_more"], page["next_after"]) == (50, True, ids[-1])
    assert site.ids(session_id, limit=3) == ids[-3:]
    assert site.page(session_id, limit=60)["has_more"] is False


@STORED
@pytest.mark.parametrize("cursor", ["after", "since"])
def test_behind_a_cursor_the_oldest_are_given(site: Site, session_id: str, stored: bool, cursor: str) -> None:
    """A slow poller would lose the events in the middle, as it did in the original."""
    ids = site.emit(session_id, 60)
    _settle(site, stored)
    value = ids[9] if cursor == "after" else site.page(session_id, limit=51)["events"][0]["timestamp"]
    page = site.page(session_id, limit=20, **{cursor: value})
    assert [event["id"] for event in page["events"]] == ids[10:30]
    assert (page["total_count"], page["has_more"], page["next_after"]) == (20, True, ids[29])


@STORED
def test_following_next_after_gives_everything_once(site: Site, session_id: str, stored: bool) -> None:
    """A poller would miss events or see some twice."""
    ids = site.emit(session_id, 47)
    _settle(site, stored)
    seen: list[int] = []
    after, more = 0, True
    while more:
        page = site.page(session_id, after=after, limit=10)
        seen += [event["id"] for event in page["events"]]
        after, more = page["next_after"], page["has_more"]
    assert seen == ids
    last = site.page(session_id, after=after)
    assert (last["events"], last["has_more"], last["next_after"]) == ([], False, ids[-1])


def test_a_poller_that_follows_half_stored_events_sees_each_once(site: Site, session_id: str) -> None:
    """Where the database ends and the log begins a poller would miss or repeat events."""
    ids = site.emit(session_id, 30)
    site.recorder().run_until_empty()
    ids += site.emit(session_id, 30)
    assert site.ids(session_id, after=0, limit=500) == ids
    assert site.ids(session_id, after=ids[20], limit=20) == ids[21:41]
    assert site.ids(session_id, limit=40) == ids[-40:]


@STORED
def test_latest_gives_the_newest_in_order(site: Site, session_id: str, stored: bool) -> None:
    """The second poll of the seeds' guide would show something else than the newest events."""
    ids = site.emit(session_id, 60)
    _settle(site, stored)
    page = site.get(f"/chat/events/{session_id}/latest").json or {}
    assert [event["id"] for event in page["events"]] == ids[-10:]
    assert (page["session_id"], page["total_count"], page["has_more"]) == (session_id, 10, False)
    page = site.get(f"/chat/events/{session_id}/latest", query_string={"count": 50}).json or {}
    assert [event["id"] for event in page["events"]] == ids[-50:]


def test_the_largest_page_is_given_whole(site: Site, session_id: str) -> None:
    """A client that asks for 500 events, as the seed allows, would get fewer."""
    ids = site.emit(session_id, 501)
    assert site.ids(session_id, after=0, limit=500) == ids[:500]
    assert site.ids(session_id, limit=500) == ids[1:]


def _mixed(site: Site, session_id: str) -> dict[str, int]:
    made = {
        "search started": ("tool_search_documents", Status.STARTED, Category.WORKFLOW, Priority.NORMAL),
        "search failed": ("tool_search_documents", Status.FAILED, Category.WORKFLOW, Priority.NORMAL),
        "pages": ("tool_search_webpages", Status.COMPLETED, Category.ANALYTICS, Priority.LOW),
        "like": ("toolXsearchXdocuments", Status.STARTED, Category.WORKFLOW, Priority.NORMAL),
        "capital": ("Tool_Search_Documents", Status.STARTED, Category.WORKFLOW, Priority.NORMAL),
        "dotted": ("document.uploaded", Status.COMPLETED, Category.REALTIME, Priority.HIGH),
        "alarm": ("error", Status.FAILED, Category.SECURITY, Priority.CRITICAL),
    }
    return {
        name: site.emit(session_id, 1, event_type, status=status, category=category, priority=priority)[0]
        for name, (event_type, status, category, priority) in made.items()
    }


FILTERS = [
    ({"event_type": "tool_search_documents"}, ["search started", "search failed"]),
    ({"event_type": ["error", "document.uploaded"]}, ["dotted", "alarm"]),
    ({"event_type": "tool_*"}, ["search started", "search failed", "pages"]),
    ({"event_type": "*_search_*"}, ["search started", "search failed", "pages"]),
    ({"event_type": "document.*"}, ["dotted"]),
    ({"event_type": "*"}, ["search started", "search failed", "pages", "like", "capital", "dotted", "alarm"]),
    ({"event_type": "*.up*ded"}, ["dotted"]),
    ({"event_type": "Tool_*"}, ["capital"]),
    ({"event_type": "TOOL_SEARCH_DOCUMENTS"}, []),
    ({"event_type": "a_type_of_tomorrow"}, []),
    ({"event_status": "failed"}, ["search failed", "alarm"]),
    ({"event_status": ["failed", "completed"]}, ["search failed", "pages", "dotted", "alarm"]),
    ({"category": ["security", "realtime"]}, ["dotted", "alarm"]),
    ({"priority": "low"}, ["pages"]),
    ({"priority": ["high", "critical"], "event_status": "failed"}, ["alarm"]),
    ({"event_type": "tool_*", "event_status": "started", "category": "workflow"}, ["search started"]),
]


@STORED
@pytest.mark.parametrize(("query", "expected"), FILTERS, ids=[str(query) for query, _ in FILTERS])
def test_filters_choose_the_same_events_wherever_they_lie(
    site: Site, session_id: str, query: dict[str, Any], expected: list[str], stored: bool
) -> None:
    """A client would see an event live and miss it later, or the other way round."""
    made = _mixed(site, session_id)
    _settle(site, stored)
    wanted = [made[name] for name in expected]
    assert site.ids(session_id, **query) == wanted
    assert site.ids(session_id, after=0, **query) == wanted
    reply = site.get(f"/chat/events/{session_id}/latest", query_string=query)
    assert [event["id"] for event in (reply.json or {})["events"]] == wanted


@STORED
def test_filtered_pages_follow_each_other(site: Site, session_id: str, stored: bool) -> None:
    """A poller with a filter would stop after its first page."""
    wanted = []
    for _ in range(12):
        site.emit(session_id, 3, "loading_history")
        wanted += site.emit(session_id, 1, "error", status=Status.FAILED)
    _settle(site, stored)
    first = site.page(session_id, event_type="error", after=0, limit=7)
    assert ([event["id"] for event in first["events"]], first["has_more"]) == (wanted[:7], True)
    rest = site.page(session_id, event_type="error", after=first["next_after"], limit=7)
    assert ([event["id"] for event in rest["events"]], rest["has_more"]) == (wanted[7:], False)


def test_operators_events_are_not_in_a_sessions_feed(site: Site, session_id: str) -> None:
    """A user would see the spans inside the stages."""
    from pipeline.event import Identity, State

    [shown] = site.emit(session_id)
    identity = Identity("span", Category.MONITORING, Priority.LOW, session_id=session_id, message_id="m-1")
    site.bus.append(identity, State(Status.STARTED, None, {"name": "SELECT"}), "k", audience="operator")
    assert site.ids(session_id, after=0) == [shown]
    site.recorder().run_until_empty()
    assert site.ids(session_id, after=0) == [shown]


def test_a_cursor_of_another_epoch_starts_over(site: Site, session_id: str) -> None:
    """After Redis has lost its data a client would wait for ids that never come."""
    ids = site.emit(session_id, 3)
    epoch, _ = site.bus.clock()
    assert "reset" not in site.page(session_id, after=ids[1], epoch=epoch)
    page = site.page(session_id, after=ids[1], epoch="1")
    assert page["reset"] is True
    assert [event["id"] for event in page["events"]] == ids


def test_a_cursor_from_the_future_starts_over(site: Site, session_id: str) -> None:
    """A client that kept a cursor of a log that is gone would wait for ever."""
    ids = site.emit(session_id, 3)
    page = site.page(session_id, after=ids[-1] + 3_600_000_000)
    assert page["reset"] is True
    assert [event["id"] for event in page["events"]] == ids
    assert page["next_after"] == ids[-1]


def test_a_lost_log_makes_a_new_epoch(make_site: Callable[..., Site], session_id: str) -> None:
    """A client could not tell that its cursor belongs to a log that is gone."""
    site = make_site()
    [old] = site.emit(session_id)
    epoch, _ = site.bus.clock()
    site.recorder().run_until_empty()
    with redis.Redis.from_url(site.settings.redis_url) as client:
        client.flushdb()
    [new] = site.emit(session_id)
    page = site.page(session_id, after=old, epoch=epoch)
    assert page["reset"] is True
    assert [event["id"] for event in page["events"]] == [old, new]


def test_a_cursor_behind_which_events_were_deleted_is_told_of_the_gap(
    make_site: Callable[..., Site], session_id: str
) -> None:
    """A client that comes back after a week would take the end of a story for the whole of it."""
    site = make_site()
    ids = site.emit(session_id, 6)
    site.recorder().run_until_empty()
    site.bus.log.trim()
    with redis.Redis.from_url(site.settings.redis_url, socket_timeout=5) as client:
        client.delete(keys.session_stream(session_id))
        client.xtrim(keys.LOG, maxlen=0)
    assert "gap" not in site.page(session_id, after=ids[0])
    marks.note_deleted(site.store, ids[4])
    # Nothing is gone yet: the event before the first of the reply is there.
    assert "gap" not in site.page(session_id, after=ids[0], limit=499)
    stored_events.delete_older(site.store, ids[4])
    told = site.page(session_id, after=ids[0], limit=498)
    assert (told["gap"], told["first_available"]) == (True, ids[4])
    assert [event["id"] for event in told["events"]] == ids[4:]
    assert "gap" not in site.page(session_id, after=ids[4])
    assert "gap" not in site.page(session_id, after=0)
