"""How long events are kept: by category, in small transactions, and first looked at if one wishes."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest
from sqlalchemy import event as sql_event
from sqlalchemy import select

from pipeline import settings as settings_table
from pipeline.event import Category
from pipeline.store import Store, marks, retention
from pipeline.store import events as stored_events
from pipeline.store.models import events
from pipeline.store.moments import id_at
from pipeline.store.rows import row_of
from tests.store.test_conversations import ask, told
from tests.store.wires import stored, wire

SETTINGS = settings_table.load({})


def hours_ago(hours: float) -> int:
    """The id of that moment."""
    return id_at(datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=hours))


def categories(store: Store) -> list[str]:
    """The categories of what is stored, oldest first."""
    with store.read() as connection:
        return list(connection.execute(select(events.c.category).order_by(events.c.id)).scalars())


def test_each_category_has_its_hours() -> None:
    """Audit entries would be deleted with the chat, or the chat be kept for a year."""
    hours = retention.hours_by_category(SETTINGS)
    assert hours == {
        Category.WORKFLOW: 24,
        Category.STREAMING: 24,
        Category.AUDIT: 8_760,
        Category.SECURITY: 8_760,
        Category.REALTIME: 168,
        Category.MONITORING: 168,
        Category.ANALYTICS: 168,
    }
    shorter = dataclasses.replace(SETTINGS, retention_chat_hours=1, retention_audit_hours=2, retention_other_hours=3)
    assert [retention.hours_by_category(shorter)[c] for c in (Category.WORKFLOW, Category.AUDIT)] == [1, 2]
    assert retention.hours_by_category(shorter)[Category.ANALYTICS] == 3


def test_retention_deletes_what_is_older(store: Store) -> None:
    """The database would grow for ever, or lose what an auditor must find."""
    ask(store, "m-1")
    ages = (9_000, 200, 25, 23)
    stored(
        store,
        *(wire(hours_ago(age) + n, category=str(category)) for age in ages for n, category in enumerate(Category)),
    )
    assert len(categories(store)) == 28
    dry = retention.apply_retention(store, SETTINGS, dry_run=True)
    assert len(categories(store)) == 28
    assert retention.apply_retention(store, SETTINGS) == dry
    assert dry == {
        "workflow": 3,
        "streaming": 3,
        "audit": 1,
        "security": 1,
        "realtime": 2,
        "monitoring": 2,
        "analytics": 2,
    }
    left = categories(store)
    assert {name: left.count(name) for name in ("workflow", "audit", "monitoring")} == {
        "workflow": 1,
        "audit": 3,
        "monitoring": 2,
    }
    assert sum(retention.apply_retention(store, SETTINGS).values()) == 0
    assert len(told(store)) == 1


def test_cleaning_up_by_hours_is_for_the_chat(store: Store) -> None:
    """`events cleanup --hours 1` would delete the audit trail."""
    stored(store, *(wire(hours_ago(2) + n, category=str(category)) for n, category in enumerate(Category)))
    stored(store, wire(hours_ago(0.5)))
    assert retention.cleanup_older_than(store, 1, dry_run=True) == 2
    assert len(categories(store)) == 8
    assert retention.cleanup_older_than(store, 1) == 2
    assert retention.cleanup_older_than(store, 1) == 0
    assert set(categories(store)) == {str(c) for c in Category} - {"streaming"}
    assert retention.cleanup_older_than(store, 0.25) == 1


def test_the_boundary_is_exact(store: Store) -> None:
    """An event would be deleted while it may still be asked for."""
    now = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)
    cutoff = retention.cutoff_id(24, now)
    assert cutoff == id_at(datetime.datetime(2026, 11, 19, 12, tzinfo=datetime.UTC))
    stored(store, wire(cutoff - 1), wire(cutoff), wire(cutoff + 1))
    assert stored_events.count_older(store, cutoff) == 1
    assert stored_events.delete_older(store, cutoff) == 1
    assert stored_events.count_older(store, cutoff + 2) == 2
    assert stored_events.count_older(store, cutoff + 2, ["audit"]) == 0
    assert stored_events.delete_older(store, cutoff + 2, ["audit", "workflow"]) == 2


def test_much_is_deleted_in_small_transactions(store: Store) -> None:
    """Everybody who writes would wait while a month of events is deleted."""
    old = hours_ago(100)
    with store.write() as connection:
        connection.execute(
            events.insert(),
            [row_of(wire(old + n)).fields() for n in range(12_001)],
        )
    deleted: list[int] = []

    def deleting(_c: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("DELETE"):
            deleted.append(cursor.rowcount)

    sql_event.listen(store.engine, "after_cursor_execute", deleting)
    assert retention.cleanup_older_than(store, 24) == 12_001
    assert deleted == [5_000, 5_000, 2_001]
    assert categories(store) == []


def test_it_is_noted_before_which_id_events_may_be_gone(store: Store) -> None:
    """A client that comes back late could not be told that something is missing."""
    old = hours_ago(100)
    retention.cleanup_older_than(store, 24)
    assert marks.deleted_before(store) == 0
    with store.write() as connection:
        stored_events.insert_rows(connection, [row_of(wire(old))])
    retention.cleanup_older_than(store, 24, dry_run=True)
    assert marks.deleted_before(store) == 0
    retention.cleanup_older_than(store, 24)
    assert old < marks.deleted_before(store) <= retention.cutoff_id(24)


@pytest.mark.parametrize("hours", [0, 0.5])
def test_fractions_of_hours(sqlite_store: Store, hours: float) -> None:
    """`--hours 0.5` would be refused or taken for nothing."""
    stored(sqlite_store, wire(hours_ago(hours + 0.01)), wire(hours_ago(hours - 1)))
    assert retention.cleanup_older_than(sqlite_store, hours) == 1
