"""Which events a subscription is meant for: those that its owner may see, and of these the ones that are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline import catalog
from pipeline.catalog import Audience
from pipeline.event import Category
from pipeline.store.subscriptions import Subscription
from pipeline.unified.event import ABOUT_DELIVERY, AUDIENCE, ORIGIN
from pipeline.unified.patterns import matches

OPERATOR, APPLICATION, USER = "operator", "application", "user"
"""What a subscription's owner may see: all that operators are shown, what any user is shown, or one user's own."""
CIRCUIT_OPENED, CIRCUIT_CLOSED = "subscription.circuit_opened", "subscription.circuit_closed"
"""What is told of deliveries."""
_SHOWN_TO_USERS = frozenset({Audience.USER, Audience.PERSON, Audience.EVERYONE})
_SECRET = frozenset({Category.SECURITY, Category.AUDIT})


def audience_of(said: Mapping[str, Any]) -> Audience:
    """Who sees an event of the log besides operators; nobody where that cannot be told."""
    event_type = str(said.get("event_type"))
    metadata = said.get("metadata") or {}
    # A stage's metadata are not the event system's, which alone writes this word.
    word = None if event_type in catalog.RESERVED_TYPES else metadata.get(AUDIENCE)
    if word is not None:
        return Audience(word) if word in list(Audience) else Audience.RECORD
    if said.get("category") in catalog.FOR_OPERATORS:
        return Audience.OPERATOR
    return catalog.lookup(event_type).audience


def may_see(one: Subscription, said: Mapping[str, Any]) -> bool:
    """Whether the subscription's owner may see this event."""
    audience = audience_of(said)
    if audience is Audience.RECORD:
        return False
    if one.sees == OPERATOR:
        return True
    if audience not in _SHOWN_TO_USERS or said.get("category") in _SECRET:
        return False
    if one.sees == APPLICATION or audience is Audience.EVERYONE:
        return True
    if one.session_id is not None and audience is Audience.USER and said.get("session_id") == one.session_id:
        # That the session is the owner's own was looked at when the subscription was made.
        return True
    return one.user_id is not None and said.get("user_id") == one.user_id


def tells_of_deliveries(said: Mapping[str, Any]) -> bool:
    """Whether an event tells how deliveries go, or was made of such a one by a rule.

    It is delivered to nobody: two failing receivers could else keep each other busy for ever.
    """
    metadata = said.get("metadata") or {}
    origin = metadata.get(ORIGIN)
    made_of = origin.get("event_type") if isinstance(origin, dict) else None
    return ABOUT_DELIVERY in metadata or made_of in {CIRCUIT_OPENED, CIRCUIT_CLOSED}


def is_wanted(one: Subscription, said: Mapping[str, Any]) -> bool:
    """Whether this event of the log is to be delivered to the subscription."""
    if int(said["id"]) <= one.since_id or tells_of_deliveries(said):
        return False
    if one.categories and said.get("category") not in one.categories:
        return False
    if one.priorities and said.get("priority") not in one.priorities:
        return False
    if one.session_id is not None and said.get("session_id") != one.session_id:
        return False
    if one.sees != USER and one.user_id is not None and said.get("user_id") != one.user_id:
        return False
    return wants_type(one, str(said["event_type"])) and may_see(one, said)


def wants_type(one: Subscription, event_type: str) -> bool:
    """Whether the subscription is for events of this type."""
    return not one.event_types or any(matches(pattern, event_type) for pattern in one.event_types)
