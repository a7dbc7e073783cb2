"""What a subscription may say, by who makes it: the rules behind the routes, without Flask."""

from __future__ import annotations

import dataclasses
import datetime
import secrets
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from pipeline.errors import SettingError, TargetRefused
from pipeline.event import Category, Priority, is_session_id
from pipeline.settings import Settings
from pipeline.store.moments import known_time_text
from pipeline.store.subscriptions import Subscription
from pipeline.subscriptions import mail
from pipeline.subscriptions.addresses import URL_LIMIT_CHARACTERS, target_of
from pipeline.subscriptions.delivering import EMAIL, WEBHOOK
from pipeline.subscriptions.matching import APPLICATION, OPERATOR, USER
from pipeline.unified.patterns import is_pattern
from web.errors import Problem, invalid
from web.policy import Principal, Scope
from web.schemas import Strict, clean

_PATTERNS_LIMIT = 50


def _pattern(text: str) -> str:
    if not is_pattern(text):
        raise ValueError("is no event type and no pattern such as document.*")
    return text


def _session_id(text: str) -> str:
    if not is_session_id(text):
        raise ValueError("a session id is 1 to 64 of A-Z a-z 0-9 . _ : @ -")
    return text


_Name = Annotated[str, BeforeValidator(clean), StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
_Patterns = Annotated[list[Annotated[str, AfterValidator(_pattern)]], Field(max_length=_PATTERNS_LIMIT)]
_Session = Annotated[str, AfterValidator(_session_id)]
_User = Annotated[str, BeforeValidator(clean), StringConstraints(min_length=1, max_length=128)]
_Url = Annotated[str, StringConstraints(min_length=1, max_length=URL_LIMIT_CHARACTERS)]
_Email = Annotated[str, StringConstraints(min_length=1, max_length=254)]


class Wanted(Strict):
    """A subscription as it is asked for, or what is to be changed of one."""

    name: _Name | None = None
    url: _Url | None = None
    email: _Email | None = None
    event_types: _Patterns = Field(default_factory=list)
    categories: list[Category] = Field(default_factory=list)
    priorities: list[Priority] = Field(default_factory=list)
    session_id: _Session | None = None
    user_id: _User | None = None
    enabled: bool = True


def is_subscriber(who: Principal) -> bool:
    """Whether somebody may have subscriptions: applications, users with a key, administrators.

    Visitors come and go, and a session's token dies within the hour.
    """
    return who.session_id is None and (not who.owns_only or who.key_id is not None)


def may_change(who: Principal, one: Subscription) -> bool:
    """Whether a subscription is the asker's own, or the asker is an administrator."""
    return is_subscriber(who) and (one.owner == who.id or Scope.ADMIN in who.scopes)


def made(wanted: Wanted, who: Principal, key_family: str | None, since_id: int, settings: Settings) -> Subscription:
    """The subscription that somebody asks for. Raises Problem: 403 for what the asker may not, 422 for what nobody."""
    if not is_subscriber(who):
        raise Problem(403, "no_subscriber", "Only an application, a user with a key or an administrator may subscribe.")
    channel, target = _target(wanted, settings)
    sees = OPERATOR if Scope.ADMIN in who.scopes else USER if who.owns_only else APPLICATION
    _check_user(sees, channel, who, wanted.user_id)
    now = datetime.datetime.now(datetime.UTC)
    return Subscription(
        subscription_id=f"sub_{secrets.token_hex(10)}",
        owner=who.id,
        sees=sees,
        key_family=key_family,
        name=wanted.name or "Subscription",
        channel=channel,
        target=target,
        event_types=wanted.event_types,
        categories=[str(word) for word in wanted.categories],
        priorities=[str(word) for word in wanted.priorities],
        session_id=wanted.session_id,
        user_id=who.id if sees == USER else wanted.user_id,
        enabled=wanted.enabled,
        secret_version=1,
        since_id=since_id,
        created_at=now,
        updated_at=now,
    )


def changes(wanted: Wanted, one: Subscription, settings: Settings) -> dict[str, Any]:
    """The columns that a change sets: only those of fields that were sent. Raises Problem."""
    sent = wanted.model_fields_set
    values: dict[str, Any] = {
        name: getattr(wanted, name) for name in ("event_types", "session_id", "enabled") if name in sent
    }
    values |= {
        name: [str(word) for word in getattr(wanted, name)] for name in ("categories", "priorities") if name in sent
    }
    if wanted.name is not None:
        values["name"] = wanted.name
    if wanted.url is not None or wanted.email is not None:
        channel, values["target"] = _target(wanted, settings)
        if channel != one.channel:
            raise invalid("body", "url" if channel == WEBHOOK else "email", "the channel cannot be changed", "channel")
    if values.get("enabled") or "target" in values:
        # Another receiver, or one that was mended: it is tried at once.
        values |= {"failures": 0, "open_until": None}
    if "user_id" in sent and one.sees == USER and wanted.user_id != one.user_id:
        raise _foreign_user()
    if "user_id" in sent and one.sees != USER:
        values["user_id"] = wanted.user_id
    return values


def _target(wanted: Wanted, settings: Settings) -> tuple[str, str]:
    if (wanted.url is None) == (wanted.email is None):
        raise invalid("body", "url", "give url or email, one of them", "one_target")
    if wanted.url is not None:
        try:
            target_of(wanted.url, settings)
        except TargetRefused as refused:
            raise invalid("body", "url", str(refused), "url_refused") from None
        return WEBHOOK, wanted.url
    assert wanted.email is not None
    if not mail.is_address(wanted.email):
        raise invalid("body", "email", "is no e-mail address", "invalid_email", wanted.email)
    try:
        mail.check(settings)
    except SettingError:
        raise invalid("body", "email", "no e-mails are sent here", "no_mail") from None
    return EMAIL, wanted.email


def _check_user(sees: str, channel: str, who: Principal, user_id: str | None) -> None:
    if sees != USER:
        return
    if user_id not in {None, who.id}:
        raise _foreign_user()
    if channel == EMAIL:
        # Anybody could be sent mails that they have not asked for.
        raise Problem(
            403, "insufficient_scope", "Only an application's key or an administrator may subscribe by e-mail."
        )


def _foreign_user() -> Problem:
    return Problem(403, "foreign_user", "Only an application's key may name another user.")


def shown(one: Subscription, counts: dict[str, int]) -> dict[str, Any]:
    """A subscription as its owner sees it; the secret is never among it."""
    is_open = one.is_open_at(datetime.datetime.now(datetime.UTC))
    fields = dataclasses.asdict(one)
    plain = "owner sees name channel event_types categories priorities session_id user_id enabled".split()
    return {
        "id": one.subscription_id,
        **{name: fields[name] for name in plain},
        "url" if one.channel == WEBHOOK else "email": one.target,
        "circuit": "open" if is_open else "closed",
        "failures": one.failures,
        "deliveries": {**counts, "dropped": one.dropped},
        "created_at": known_time_text(one.created_at),
        "updated_at": known_time_text(one.updated_at),
    }
