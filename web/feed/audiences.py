"""Whether an event that is read again is for the feed that reads it: the same answer as when it was announced. No I/O.

Live, the bus tells audiences apart by the channels on which it announces an event. What is read from the database or
the log is asked here, by the audience that is written in it.
"""

from __future__ import annotations

from typing import Any

import orjson

from pipeline.catalog import Audience
from web.feed.wish import Scope, Wish

AUDIENCE = "audience"
"""The word of the metadata: `pipeline.unified.event` has the same, but a relay loads no emitters."""
_OF_A_USER = {Audience.USER, Audience.PERSON}
_KNOWN = {str(audience): audience for audience in Audience}


def audience_in(event: dict[str, Any]) -> Audience:
    """Who sees an event. Without a word of it only a session's event is a user's, and any other one is operators'.

    A word that is not known is for nobody but the record: it may be of a newer version.
    """
    metadata = event.get("metadata")
    word = metadata.get(AUDIENCE) if isinstance(metadata, dict) else None
    if word is None:
        return Audience.USER if event.get("seq") is not None else Audience.OPERATOR
    return _KNOWN.get(str(word), Audience.RECORD)


def is_for(wish: Wish, wire: bytes) -> bool:
    """Whether the feed may tell the event. What cannot be read is for nobody."""
    try:
        event = orjson.loads(wire)
    except orjson.JSONDecodeError:
        return False
    if not isinstance(event, dict):
        return False
    audience = audience_in(event)
    if wish.scope is Scope.OPERATORS:
        return audience is not Audience.RECORD
    if audience is Audience.EVERYONE:
        return wish.scope is Scope.USER
    return wish.scope is Scope.USER and audience in _OF_A_USER and event.get("user_id") == wish.user_id


def marks(wish: Wish) -> tuple[bytes, ...]:
    """Pieces of which every event for the feed holds at least one; nearly all others hold none. Empty: all may fit."""
    if wish.scope is Scope.OPERATORS:
        return ()
    return b'"user_id":' + orjson.dumps(wish.user_id), b'"audience":"everyone"'
