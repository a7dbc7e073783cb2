"""Reading a request's Idempotency-Key."""

from __future__ import annotations

import hashlib

from flask import Request

from pipeline.store.idempotency import IdempotencyKey
from web.errors import Problem

_LONGEST_CHARACTERS = 255


def idempotency_key(asked: Request, principal: str, collection: str | None) -> IdempotencyKey | None:
    """The request's key with a fingerprint of what it asks, None without one. Raises Problem."""
    key = asked.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not key or len(key) > _LONGEST_CHARACTERS or not key.isprintable():
        raise Problem(
            400, "invalid_idempotency_key", f"An Idempotency-Key has 1 to {_LONGEST_CHARACTERS} printable characters."
        )
    fingerprint = hashlib.sha256(f"{collection or ''}\n".encode() + asked.get_data()).hexdigest()
    return IdempotencyKey(principal, key, fingerprint)
