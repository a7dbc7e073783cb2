"""How long events are kept: hours by category."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from pipeline.event import Category
from pipeline.settings import Settings
from pipeline.store import alerts, deliveries, events, idempotency, marks, overview
from pipeline.store.engine import Store
from pipeline.store.moments import id_at


def hours_by_category(settings: Settings) -> dict[Category, int]:
    """The retention of each category; chat stages are workflow, their tokens streaming."""
    special = {
        Category.WORKFLOW: settings.retention_chat_hours,
        Category.STREAMING: settings.retention_chat_hours,
        Category.AUDIT: settings.retention_audit_hours,
        Category.SECURITY: settings.retention_security_hours,
    }
    return {category: special.get(category, settings.retention_other_hours) for category in Category}


def cutoff_id(hours: float, now: datetime.datetime | None = None) -> int:
    """The id before which events are older than `hours`."""
    now = now or datetime.datetime.now(datetime.UTC)
    return id_at(now - datetime.timedelta(hours=hours))


def apply_retention(store: Store, settings: Settings, dry_run: bool = False) -> dict[str, int]:
    """Deletes (or counts) what is older than its category's retention. Returns events by category."""
    if not dry_run:
        now = datetime.datetime.now(datetime.UTC)
        idempotency.forget_before(store, now - datetime.timedelta(hours=settings.retention_idempotency_hours))
        alerts.forget_before(store, now - datetime.timedelta(hours=settings.retention_alerts_hours))
        deliveries.forget_before(store, now - datetime.timedelta(hours=settings.retention_deliveries_hours))
        overview.forget_before(
            store,
            now - datetime.timedelta(hours=settings.retention_overview_minutes_hours),
            now - datetime.timedelta(hours=settings.retention_overview_hours),
        )
    act = events.count_older if dry_run else _delete
    return {
        str(category): act(store, cutoff_id(hours), [category])
        for category, hours in hours_by_category(settings).items()
    }


def cleanup_older_than(store: Store, hours: float, dry_run: bool = False) -> int:
    """Deletes (or counts) the chat events that are older than `hours`; audit and security stay. Returns how many."""
    chat = [Category.WORKFLOW, Category.STREAMING]
    act = events.count_older if dry_run else _delete
    return act(store, cutoff_id(hours), chat)


def _delete(store: Store, before_id: int, categories: Sequence[Category]) -> int:
    if not events.count_older(store, before_id, categories):
        return 0
    # First, so that nobody takes what is gone for what never was.
    marks.note_deleted(store, before_id)
    return events.delete_older(store, before_id, categories)
