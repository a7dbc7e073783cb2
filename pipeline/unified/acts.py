"""An administrative act: written into the audit trail, then told as an audit event."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

from pipeline.errors import SpanfeedError
from pipeline.event import Category
from pipeline.store import Store, audit
from pipeline.unified.event import UnifiedEvent
from pipeline.unified.system import EventSystem

logger = logging.getLogger(__name__)
DONE, FAILED = "done", "failed"


@dataclasses.dataclass(frozen=True)
class Act:
    """Who did what to which thing, from where, in which request, and how it ended. Nothing in it may be a secret."""

    actor: str
    action: str
    object_type: str
    object_id: str | None = None
    outcome: str = DONE
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    ip_address: str | None = None
    request_id: str | None = None

    def where(self) -> dict[str, str]:
        """From where it came, as far as that is known."""
        found = {"ip_address": self.ip_address, "request_id": self.request_id}
        return {name: value for name, value in found.items() if value is not None}


def write_act(store: Store, act: Act) -> int:
    """Adds the act to the audit trail and gives the entry's number. Raises StoreUnavailable and SettingError."""
    details = {**act.details, **act.where()}
    return audit.record(store, act.actor, act.action, act.object_type, act.object_id, act.outcome, details)


def tell_act(events: EventSystem, act: Act, entry: int | None) -> None:
    """Tells operators and auditors of an act; `entry` is its number in the audit trail, None where it has none."""
    done = act.outcome == DONE
    said = {
        **act.where(),
        "action": act.action,
        "actor": act.actor,
        "by": act.actor,
        "resource_type": act.object_type,
        "resource_id": act.object_id,
        "outcome": act.outcome,
        "success": done,
        "result": "success" if done else "failure",
        "entry": entry,
        "details": dict(act.details),
    }
    events.emit_event(UnifiedEvent(Category.AUDIT, act.action, data=said))


def audit_act(events: EventSystem, store: Store, act: Act, told: bool = True) -> None:
    """Writes and tells an act that was done; what cannot be written is logged, and never undoes the act.

    `told` False: another event tells of it already.
    """
    entry = None
    try:
        entry = write_act(store, act)
    except (SpanfeedError, OSError) as error:
        logger.error("the audit trail has no entry of %s by %s: %s", act.action, act.actor, error)
    if told:
        tell_act(events, act, entry)
