"""The bodies that clients send, validated; unknown fields are ignored, as the seeds' servers did, but for `Strict`."""

from __future__ import annotations

import datetime
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from pipeline.event import clean_text, is_session_id


def _session_id(value: Any) -> Any:
    if value is None or (isinstance(value, str) and is_session_id(value)):
        return value
    raise ValueError("a session id is 1 to 64 of A-Z a-z 0-9 . _ : @ -")


def clean(value: Any) -> Any:
    """A text without what no text may hold; anything else as it is, for the type to judge."""
    return clean_text(value) if isinstance(value, str) else value


def _said(text: str) -> str:
    cleaned = clean_text(text).strip()
    # Characters that show nothing (control, format, spaces of all kinds) say nothing.
    if all(unicodedata.category(character)[0] in "CZ" for character in cleaned):
        raise ValueError("nothing can be read in it")
    return cleaned


class ChatRequest(BaseModel):
    """A chat message."""

    message: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_said)]
    session_id: Annotated[str | None, BeforeValidator(_session_id)] = None
    user_id: Annotated[str, BeforeValidator(clean), StringConstraints(max_length=128)] | None = None
    metadata: dict[str, Any] | None = None
    language: Annotated[str, StringConstraints(max_length=35)] | None = Field(default=None)


class NewFeedback(BaseModel):
    """What a user thinks of an answer: a thumb, or one to five."""

    rating: Literal["up", "down"] | Annotated[int, Field(ge=1, le=5, strict=True)]
    comment: Annotated[str, BeforeValidator(clean), StringConstraints(strip_whitespace=True)] | None = None
    user_id: Annotated[str, BeforeValidator(clean), StringConstraints(min_length=1, max_length=128)] | None = None


class Strict(BaseModel):
    """The body of an administrator's request: a field that is not known may be a mistake that opens a door."""

    model_config = ConfigDict(extra="forbid")


class NewKey(Strict):
    """A key that is to be made."""

    name: Annotated[str, BeforeValidator(clean), StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    scopes: list[str]
    user_id: Annotated[str, BeforeValidator(clean), StringConstraints(min_length=1, max_length=128)] | None = None
    expires_at: datetime.datetime | None = None


class Rotation(Strict):
    """How a key is rotated."""

    overlap_seconds: Annotated[int, Field(ge=0, le=2_592_000, strict=True)] | None = None


class Login(Strict):
    """An administrator who logs in."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    password: Annotated[str, Field(repr=False), StringConstraints(min_length=1)]


class ForUser(BaseModel):
    """Which user is meant."""

    user_id: str | None = None


class TestEvent(BaseModel):
    """An event by which a stream is tried."""

    event_type: str | None = None
    data: dict[str, Any] | None = None
    user_id: str | None = None
