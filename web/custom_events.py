"""Custom events: which events a principal may send over HTTP, and what becomes of them."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, Field, StringConstraints

from pipeline import catalog
from pipeline.catalog import Audience
from pipeline.errors import InvalidEvent
from pipeline.event import DATA_LIMIT_BYTES, LIMITS, METADATA_LIMIT_BYTES, Category, Priority, encode
from pipeline.event import check_type as legal_type
from pipeline.unified.event import EMITTED_BY, UnifiedEvent
from pipeline.unified.system import Wish
from web.auth import Principal, Scope
from web.errors import Problem, invalid
from web.event_types import EventTypes, Registered

CUSTOM = "custom."
"""Types that begin so need no definition."""
_CALM = {Priority.LOW, Priority.NORMAL}
FOR_USERS = {Category.REALTIME, Category.STREAMING, Category.ANALYTICS, Category.WORKFLOW}
_Text = Annotated[str, StringConstraints(min_length=1, max_length=128)]
_Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]


class CustomEvent(BaseModel):
    """An event as it is sent; unknown fields are ignored."""

    event_type: str = Field(validation_alias=AliasChoices("event_type", "type"))
    data: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    id: _Id | None = Field(default=None, validation_alias=AliasChoices("id", "unified_event_id"))
    category: Category | None = None
    priority: Priority | None = None
    audience: Audience | None = None
    user_id: _Text | None = None
    session_id: _Text | None = None
    correlation_id: _Text | None = None
    source_system: Annotated[str, StringConstraints(min_length=1, max_length=LIMITS["source_system"])] = "custom"
    language: Annotated[str, StringConstraints(max_length=35)] | None = None
    timestamp: datetime.datetime | None = None


def is_application(who: Principal) -> bool:
    """Whether the asker is an application, which speaks for its users; else it is a user or a visitor."""
    return who.session_id is None and not who.owns_only


def accepted(
    given: CustomEvent, who: Principal, types: EventTypes, may_use: Callable[[str], None]
) -> tuple[UnifiedEvent, Wish]:
    """The event and how it is to be emitted. `may_use` raises Problem for a session that is not the asker's.

    Raises Problem: 403 for what the asker may not say, 413 and 422 for what nobody may.
    """
    check_type(given.event_type)
    registered = types.get(given.event_type)
    if registered is None and given.event_type not in catalog.CATALOG and not given.event_type.startswith(CUSTOM):
        message = f"is not registered; unregistered types begin with {CUSTOM}"
        raise invalid("body", "event_type", message, "unknown_type", given.event_type)
    _check_sizes(given)
    category, priority, audience = _terms(given, who, registered)
    session_id = _session(given, who, may_use)
    if not is_application(who):
        _check_user(given, category, priority)
        audience = Audience.USER
    if registered is not None:
        registered.check(given.data)
    event_id = given.id or str(uuid.uuid4())
    try:
        event = UnifiedEvent(
            category=category,
            event_type=given.event_type,
            id=event_id,
            timestamp=given.timestamp or datetime.datetime.now(datetime.UTC),
            data=given.data,
            metadata=given.metadata,
            user_id=given.user_id,
            session_id=session_id,
            correlation_id=given.correlation_id,
            source_system=given.source_system,
            **({} if priority is None else {"priority": priority}),
        )
    except InvalidEvent as error:
        raise invalid("body", "event", str(error), "invalid_event") from None
    if audience in {Audience.USER, Audience.PERSON} and not (session_id or given.user_id):
        audience = Audience.OPERATOR
    sentence = _sentence(given, registered)
    # The key is the asker's own: nobody can take another's event for a repeat of theirs.
    return event, Wish(audience, sentence, {EMITTED_BY: who.id}, f"{who.id}:{event_id}")


def check_type(event_type: str) -> None:
    """Raises Problem for what is no type, and for those that Spanfeed alone tells."""
    try:
        legal_type(event_type)
    except InvalidEvent as error:
        raise invalid("body", "event_type", str(error), "invalid_type", event_type) from None
    if event_type in catalog.RESERVED_TYPES:
        raise Problem(403, "forged_event", "Only Spanfeed's own stages tell this type.")


def _check_sizes(given: CustomEvent) -> None:
    for name, value, limit in (
        ("data", given.data, DATA_LIMIT_BYTES),
        ("metadata", given.metadata, METADATA_LIMIT_BYTES),
    ):
        if len(encode(value)) > limit:
            raise Problem(413, f"{name}_too_large", f"{name} has at most {limit} bytes as JSON.")


def _terms(
    given: CustomEvent, who: Principal, registered: Registered | None
) -> tuple[Category, Priority | None, Audience | None]:
    """Category, priority and audience: a registered type's own, else the catalogue's category and what is asked."""
    if registered is not None:
        kept = registered.kept
        return Category(kept.category), Priority(kept.priority), Audience(kept.audience)
    known = catalog.CATALOG.get(given.event_type)
    category = known.category if known is not None else given.category or Category.REALTIME
    admin = Scope.ADMIN in who.scopes
    if category is Category.AUDIT and not admin:
        raise Problem(403, "insufficient_scope", "Admin permission required for audit events")
    if given.audience is Audience.EVERYONE and not admin:
        raise Problem(403, "insufficient_scope", "Admin permission required to tell everyone")
    if given.audience is not None:
        return category, given.priority, given.audience
    # Unlike a program inside, whoever sends over HTTP tells everyone only when they say so.
    named = given.user_id or given.session_id or who.session_id
    return category, given.priority, None if named or category not in FOR_USERS else Audience.OPERATOR


def _session(given: CustomEvent, who: Principal, may_use: Callable[[str], None]) -> str | None:
    session_id = given.session_id or who.session_id
    if session_id is None and not is_application(who):
        raise invalid("body", "session_id", "is needed: you may only send to your own session", "missing_session")
    if session_id is not None:
        may_use(session_id)
    return session_id


def _check_user(given: CustomEvent, category: Category, priority: Priority | None) -> None:
    """A user's browser tells its own session only, and raises no alarm."""
    if given.user_id is not None:
        raise Problem(403, "foreign_user", "Only an application's key may name a user.")
    if category not in FOR_USERS or given.audience not in {None, Audience.USER}:
        raise Problem(403, "insufficient_scope", "Only an application's key may send such events.")
    if priority not in _CALM | {None}:
        raise Problem(403, "insufficient_scope", "Only an application's key may raise the priority.")


def _sentence(given: CustomEvent, registered: Registered | None) -> str | None:
    language = catalog.language_of(given.language)
    found = None if registered is None else registered.sentence(language, given.data)
    return found or catalog.sentence(given.event_type, language, given.data)
