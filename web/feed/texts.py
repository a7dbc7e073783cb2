"""What a client is told, as JSON, word for word as the seed's clients know it, whichever way it is sent."""

from __future__ import annotations

import datetime
import random

from pipeline.event import encode

UNANSWERED = "the event bus does not answer, try again"
# Whoever was connected comes back spread over this time, so that the next server is not stormed.
_RETRY_LIMIT_MS = 1_000


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


def restart_reason() -> str:
    """Why a server that ends closes its feeds, with a pause chosen at random."""
    pause_ms = random.randint(0, _RETRY_LIMIT_MS)  # noqa: S311 - jitter needs no secrecy
    return f"the server restarts, try again in {pause_ms} ms"
