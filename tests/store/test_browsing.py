"""What operators look through is the same on both databases."""

from __future__ import annotations

import datetime

from pipeline.store import Store, browsing, conversations
from pipeline.store.browsing import Wanted
from pipeline.store.events import Filters
from pipeline.store.moments import id_at, moment_of
from tests.store.test_conversations import ask
from tests.store.wires import NOW, stored, wire


def test_events_are_found_newest_first(store: Store) -> None:
    """On one of the databases an operator's search would find something else, or nothing."""
    texts = ("A needle", "100 % NEEDLE_", "hay", None)
    stored(store, *(wire(NOW + n, user_message=text, user_id=f"u-{n % 2}", seq=n) for n, text in enumerate(texts)))
    stored(store, wire(NOW + 9, session_id=None, seq=None, event_type="span", category="monitoring"))

    def ids(wanted: Wanted, before: int | None = None, limit: int = 10, look_at: int = 100) -> list[int]:
        found, _ = browsing.newest_events(store, wanted, before, limit, look_at)
        return [event.id - NOW for event in found]

    assert ids(Wanted()) == [9, 3, 2, 1, 0]
    assert ids(Wanted(text="needle")) == [1, 0]
    assert ids(Wanted(text="% n")) == [1]
    assert ids(Wanted(user_id="u-1", from_id=NOW + 1, upto_id=NOW + 2)) == [1]
    assert ids(Wanted(Filters(event_types=("sp*",)))) == [9]
    assert browsing.newest_events(store, Wanted(text="A needle"), NOW + 3, 10, 2) == ([], NOW + 1)
    assert [event.id - NOW for event in browsing.events_of_run(store, "m-1", 10)] == [0, 1, 2, 3, 9]


def test_sessions_come_by_their_last_use(store: Store) -> None:
    """On one of the databases a page of sessions would repeat some, or pass over others."""
    for number in range(4):
        ask(store, f"m-{number}", session_id=f"s-{number}")
    found = browsing.page_of_sessions(store, "", None, 10)
    assert [line.session.session_id for line in found] == ["s-3", "s-2", "s-1", "s-0"]
    second = found[1].session
    behind = (moment_of(id_at(second.updated_at)), second.session_id)
    assert [line.session.session_id for line in browsing.page_of_sessions(store, "", behind, 1)] == ["s-1"]
    assert [line.session.session_id for line in browsing.page_of_sessions(store, "S-2", None, 10)] == ["s-2"]
    assert (found[0].runs, found[0].last_status) == (1, "accepted")
    with store.write() as connection:
        conversations.fail_message(connection, "m-1", "cancelled", "cancelled", "So far")
    [run] = browsing.page_of_runs(store, "s-1", None, 5)
    assert (run, run.partial, run.status) == (browsing.find_run(store, "m-1"), True, "cancelled")
    assert run.updated_at.tzinfo is datetime.UTC
    assert browsing.page_of_runs(store, "s-1", run.id, 5) == []
