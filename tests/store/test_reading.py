"""Reading the record back: pages without gaps, filters, figures."""

from __future__ import annotations

import datetime

from hypothesis import given
from hypothesis import strategies as st

from pipeline.event import Event
from pipeline.store import Store
from pipeline.store import events as stored_events
from pipeline.store.events import Filters, latest_session_events, session_events
from pipeline.store.moments import id_at, moment_of, timestamp_text
from tests.store.wires import NOW, stored, wire


def ids(found: list[Event]) -> list[int]:
    """The events' distance from NOW."""
    return [event.id - NOW for event in found]


def test_pages_follow_one_another(store: Store) -> None:
    """A slow poller would skip events, as in the original."""
    stored(store, *(wire(NOW + n, seq=n + 1) for n in range(7)), wire(NOW + 8, session_id="s-2"))
    assert ids(session_events(store, "s-1", 0, 3)) == [0, 1, 2]
    assert ids(session_events(store, "s-1", NOW + 2, 3)) == [3, 4, 5]
    assert ids(session_events(store, "s-1", NOW + 5, 3)) == [6]
    assert ids(session_events(store, "s-1", NOW + 6, 3)) == []
    assert ids(latest_session_events(store, "s-1", 3)) == [4, 5, 6]
    assert ids(session_events(store, "s-1", NOW + 1, 10, upto=NOW + 4)) == [2, 3, 4]
    assert ids(latest_session_events(store, "s-1", 2, upto=NOW + 4)) == [3, 4]
    assert ids(session_events(store, "nobody", 0, 3)) == []


def test_what_is_for_operators_is_not_in_a_users_history(store: Store) -> None:
    """A user would be shown the machinery's spans."""
    stored(store, wire(NOW, seq=1), wire(NOW + 1, seq=None), wire(NOW + 2, session_id=None, seq=None))
    assert ids(session_events(store, "s-1", 0, 10)) == [0]
    assert ids(latest_session_events(store, "s-1", 10)) == [0]


TYPES = (
    "tool_search_documents",
    "toolXsearch",
    "Tool_search",
    "document.uploaded",
    "documents",
    "a%b",
    "a\\b",
    "a*b",
    "a?b",
    "a[b",
)


CHOICES: list[tuple[tuple[str, ...], list[str]]] = [
    (("document.*",), ["document.uploaded"]),
    (("document*",), ["document.uploaded", "documents"]),
    (("tool_*",), ["tool_search_documents"]),
    (("*",), list(TYPES)),
    (("documents", "a%b"), ["documents", "a%b"]),
    (("a%b*",), ["a%b"]),
    (("a\\*",), ["a\\b"]),
    (("*_search",), ["Tool_search"]),
    (("tool_search",), []),
    (("tool?search*",), []),
    (("[a-z]*",), []),
    (("a?*", "a[*"), ["a?b", "a[b"]),
    (("' OR 1=1--",), []),
    (("documents", "*.uploaded"), ["document.uploaded", "documents"]),
]


def test_types_are_chosen_by_name_or_pattern(store: Store) -> None:
    """A client would be given events that it did not ask for, or not those that it did."""
    stored(store, *(wire(NOW + n, event_type=name) for n, name in enumerate(TYPES)))
    for patterns, expected in CHOICES:
        found = session_events(store, "s-1", 0, 50, Filters(event_types=patterns))
        assert (patterns, [event.event_type for event in found]) == (patterns, expected)


def test_filters_are_joined(store: Store) -> None:
    """A dashboard's filters would show too much or nothing."""
    stored(
        store,
        wire(NOW, event_status="started"),
        wire(NOW + 1, event_status="failed", priority="high"),
        wire(NOW + 2, event_status="failed", category="audit"),
        wire(NOW + 3, event_status="failed", priority="high", category="audit"),
    )
    failed = Filters(statuses=("failed",))
    assert ids(session_events(store, "s-1", 0, 10, failed)) == [1, 2, 3]
    assert ids(latest_session_events(store, "s-1", 2, failed)) == [2, 3]
    assert ids(session_events(store, "s-1", NOW + 1, 1, failed)) == [2]
    assert ids(session_events(store, "s-1", 0, 10, Filters(statuses=("failed", "started")))) == [0, 1, 2, 3]
    both = Filters(categories=("audit",), priorities=("high",), statuses=("failed",))
    assert ids(session_events(store, "s-1", 0, 10, both)) == [3]


def test_figures(store: Store) -> None:
    """An operator's `events stats` would be wrong."""
    assert stored_events.statistics(store) == {
        "total": 0,
        "sessions": 0,
        "oldest": None,
        "newest": None,
        "by_category": {},
        "by_type": {},
        "dead_letters": 0,
    }
    stored(
        store,
        wire(NOW),
        wire(NOW + 1),
        wire(NOW + 2, session_id="s-2", event_status="completed"),
        wire(NOW + 3, session_id=None, seq=None, category="audit", event_type="login", event_status=None),
        b"broken",
    )
    assert stored_events.statistics(store) == {
        "total": 4,
        "sessions": 2,
        "oldest": "2026-11-20T12:00:30.000000Z",
        "newest": "2026-11-20T12:00:30.000003Z",
        "by_category": {"audit": 1, "workflow": 3},
        "by_type": {"agent_thinking started": 2, "agent_thinking completed": 1, "login": 1},
        "dead_letters": 1,
    }


@given(st.integers(0, 2**53 - 1))
def test_an_id_and_its_moment_are_one(event_id: int) -> None:
    """Polling by time and by id would give different pages."""
    moment = moment_of(event_id)
    assert id_at(moment) == event_id
    assert timestamp_text(event_id) == moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def test_moments_from_elsewhere() -> None:
    """A client in another time zone would be given the wrong hours."""
    noon = datetime.datetime(2026, 11, 20, 12, 0, 30)  # noqa: DTZ001 - a naive time is UTC
    east = datetime.timezone(datetime.timedelta(hours=3))
    assert id_at(noon) == id_at(datetime.datetime(2026, 11, 20, 15, 0, 30, tzinfo=east)) == NOW
    assert id_at(datetime.datetime(1999, 1, 1, tzinfo=datetime.UTC)) == 0
