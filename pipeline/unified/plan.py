"""What becomes of one event by the rules: who sees it, what is written into it, which events come of it."""

from __future__ import annotations

import dataclasses
import re
import uuid
from collections.abc import Sequence
from typing import Any

from pipeline import catalog
from pipeline.catalog import Audience
from pipeline.event import Category, Priority, Status
from pipeline.unified.event import ORIGIN, UnifiedEvent
from pipeline.unified.rules import Rule

_SPACE = uuid.UUID("0b6f6d0e-6d5b-5b7e-9d0a-5f6e3c2b1a90")
"""Any number, the same for all: an event made by a rule has an id that is computed from its origin's."""
_FAILED = re.compile(r"(^|[._-])(failed|failure|error)$")
_SECRET = frozenset({Category.SECURITY, Category.AUDIT})
"""Never for everyone, and never in a session's feed."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """`made` are further events, each with its audience; rules do not look at them again."""

    audience: Audience
    notification: bool
    made: tuple[tuple[UnifiedEvent, Audience], ...]


def own_audience(event: UnifiedEvent) -> Audience:
    """Who sees an event besides operators, before any rule."""
    if event.category in catalog.FOR_OPERATORS:
        return Audience.OPERATOR
    if event.session_id or event.user_id:
        return Audience.USER
    return Audience.EVERYONE if event.category is Category.REALTIME else Audience.OPERATOR


def plan(event: UnifiedEvent, rules: Sequence[Rule], given: Audience | None, notifications: bool) -> Plan:
    """Applies the rules to an event that no rule has made. `given` is an audience that its emitter asks for."""
    fitting = [rule for rule in rules if rule.fits(event)]
    actions = {action for rule in fitting for action in rule.then}
    audience = given or own_audience(event)
    if "everyone" in actions:
        audience = Audience.EVERYONE
    elif "realtime" in actions and audience in {Audience.OPERATOR, Audience.RECORD} and given is None:
        audience = Audience.USER if event.session_id or event.user_id else audience
    made: list[tuple[UnifiedEvent, Audience]] = []
    audit = next((rule for rule in fitting if "audit" in rule.then), None)
    if audit is not None and event.category is not Category.AUDIT:
        made.append((_audit_entry(event, audit), Audience.RECORD))
    for rule in fitting:
        if rule.emit is not None:
            extra = _made(event, rule)
            made.append((extra, allowed(extra, own_audience(extra))))
    notify = notifications and "notification" in actions
    return Plan(allowed(event, audience), notify, tuple(made))


def allowed(event: UnifiedEvent, audience: Audience) -> Audience:
    """`audience`, narrowed for what is secret: the person named in it may see it, other users never do."""
    if event.category not in _SECRET or audience in {Audience.OPERATOR, Audience.RECORD}:
        return audience
    return Audience.PERSON if event.user_id else Audience.OPERATOR


def shown_status(event: UnifiedEvent, audience: Audience) -> Status | None:
    """None, but for what a session's feed shows: clients of chat events rely on a status.

    Never `started` or `progress`, which promise an ending.
    """
    if event.session_id is None or audience not in {Audience.USER, Audience.EVERYONE}:
        return None
    return Status.FAILED if _FAILED.search(event.event_type) else Status.COMPLETED


def _origin(event: UnifiedEvent, rule: Rule) -> dict[str, Any]:
    return {ORIGIN: {"event_id": event.id, "event_type": event.event_type, "rule": rule.name}}


def _derived_id(event: UnifiedEvent, rule: Rule, what: str) -> str:
    return str(uuid.uuid5(_SPACE, f"{event.id}\n{rule.name}\n{what}"))


def _audit_entry(event: UnifiedEvent, rule: Rule) -> UnifiedEvent:
    return UnifiedEvent(
        category=Category.AUDIT,
        event_type=f"audit.{event.event_type}"[:100],
        # One entry for an event, whichever rules ask for it.
        id=str(uuid.uuid5(_SPACE, f"{event.id}\naudit")),
        timestamp=event.timestamp,
        data=dict(event.data),
        metadata=_origin(event, rule),
        user_id=event.user_id,
        session_id=event.session_id,
        correlation_id=event.correlation_id,
        priority=Priority.NORMAL,
    )


def _made(event: UnifiedEvent, rule: Rule) -> UnifiedEvent:
    assert rule.emit is not None
    return UnifiedEvent(
        category=rule.emit.category,
        event_type=rule.emit.event_type,
        id=_derived_id(event, rule, rule.emit.event_type),
        timestamp=event.timestamp,
        data=dict(event.data),
        metadata=_origin(event, rule),
        user_id=event.user_id,
        session_id=event.session_id,
        correlation_id=event.correlation_id,
        **({} if rule.emit.priority is None else {"priority": rule.emit.priority}),
    )
