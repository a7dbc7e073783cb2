"""What a client is told, as JSON, word for word as the seed's clients know it, whichever way it is sent."""

from __future__ import annotations

import datetime

from pipeline.event import encode

UNANSWERED = "the event bus does not answer"
RESTARTS = "the server restarts"
EXPIRED = "the token has expired"
REVOKED = "the key opens nothing any more"


def now_text() -> str:
    """The present as a timestamp."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def connected(session_id: str, epoch: str, last_id: int) -> bytes:
    """The first message."""
    return encode(
        {
            "type": "connection",
            "status": "connected",
            "session_id": session_id,
            "timestamp": now_text(),
            "message": "🔗 Connected to real-time event stream",
            "epoch": epoch,
            "last_id": last_id,
        }
    )


def connected_widely(scope: str, user_id: str, epoch: str, last_id: int, after: int) -> bytes:
    """The first message of a feed across sessions; `after` is the id that is really gone on from."""
    return encode(
        {
            "type": "connection",
            "status": "connected",
            "scope": scope,
            "user_id": user_id,
            "timestamp": now_text(),
            "epoch": epoch,
            "last_id": last_id,
            "after": after,
        }
    )


def hello(after: int, epoch: str) -> bytes:
    """Names the id that is really resumed from."""
    return encode({"type": "hello", "after": after, "epoch": epoch})


def reset(reason: str, epoch: str, last_id: int) -> bytes:
    """Says that the client's cursor is worth nothing: forget what is known, everything that is kept follows."""
    return encode({"type": "reset", "reason": reason, "epoch": epoch, "last_id": last_id})


def bus(away: bool) -> bytes:
    """Says that the server has lost its event bus, or has it again: what was accepted waits there meanwhile."""
    return encode({"type": "bus", "status": "away" if away else "back", "timestamp": now_text()})


def keepalive() -> bytes:
    """Sent when the client has been silent."""
    return encode({"type": "keepalive", "timestamp": now_text()})


def pong() -> bytes:
    """The answer to a ping in JSON."""
    return encode({"type": "pong", "timestamp": now_text()})


def answer_so_far(message_id: str, attempt: int, text_so_far: str) -> bytes:
    """The answer's text so far, for a client that comes late."""
    return encode({"type": "answer", "message_id": message_id, "attempt": attempt, "text": text_so_far, "offset": 0})


def come_back(why: str, pause_ms: int) -> str:
    """Why a feed ends that the client should open again, and after which pause."""
    return f"{why}, try again in {pause_ms} ms"


def expired() -> bytes:
    """Says to a stream's reader why it ends: the token's time is over."""
    return encode({"type": "expired", "timestamp": now_text()})


# Several sessions over one WebSocket


def within(session_id: str, body: bytes) -> bytes:
    """A message as JSON that says which of a client's sessions it belongs to."""
    # The id needs no escapes (`is_session_id`), and the message is an object that holds something.
    return b'{"session_id":"%b",%b' % (session_id.encode(), body[1:])


def subscribed(session_id: str, epoch: str, last_id: int) -> bytes:
    """Says that a further session is followed from here on."""
    return encode({"type": "subscribed", "session_id": session_id, "last_id": last_id, "epoch": epoch})


def unsubscribed(session_id: str, reason: str | None = None) -> bytes:
    """Says that a session is followed no more; `reason` where the client has not asked for it."""
    return encode({"type": "unsubscribed", "session_id": session_id} | ({"reason": reason} if reason else {}))


def refused(session_id: str | None, reason: str) -> bytes:
    """Says why a session is not followed, or not left."""
    return encode({"type": "refused", "session_id": session_id, "reason": reason})


def token_accepted(expires_at: float) -> bytes:
    """Says until when the feed is open now, in unix seconds."""
    return encode({"type": "token_accepted", "expires_at": int(expires_at)})


def token_refused() -> bytes:
    """Says that a token does not prolong this feed: it is none, or another's."""
    return encode({"type": "token_refused"})
