"""The bodies that clients send, validated; unknown fields are ignored, as the seeds' servers did."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints

from pipeline.event import clean_text, is_session_id


def _session_id(value: Any) -> Any:
    if value is None or (isinstance(value, str) and is_session_id(value)):
        return value
    raise ValueError("a session id is 1 to 64 of A-Z a-z 0-9 . _ : @ -")


def _clean(value: Any) -> Any:
    return clean_text(value) if isinstance(value, str) else value


def _said(text: str) -> str:
    cleaned = clean_text(text).strip()
    if not cleaned:
        raise ValueError("nothing can be read in it")
    return cleaned


class ChatRequest(BaseModel):
    """A chat message."""

    message: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_said)]
    session_id: Annotated[str | None, BeforeValidator(_session_id)] = None
    user_id: Annotated[str, BeforeValidator(_clean), StringConstraints(max_length=128)] | None = None
    metadata: dict[str, Any] | None = None
    language: Annotated[str, StringConstraints(max_length=35)] | None = Field(default=None)
