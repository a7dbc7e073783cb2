"""Signatures of webhooks, in the form of Standard Webhooks (www.standardwebhooks.com).

A webhook's secret is computed from the server's key and the subscription's id: nothing secret lies in the database.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from pipeline.errors import SettingError
from pipeline.settings import Settings

PREFIX = "whsec_"
_PURPOSE = "spanfeed webhook secret"


def secret_of(settings: Settings, subscription_id: str, version: int) -> str:
    """The secret that a receiver is given once: `whsec_` and 32 bytes in base64. Raises SettingError without a key."""
    if not settings.secret_key:
        raise SettingError("SPANFEED_SECRET_KEY is not set: webhooks cannot be signed")
    said = f"{_PURPOSE}\n{subscription_id}\n{version}".encode()
    key = hmac.new(settings.secret_key.encode(), said, hashlib.sha256).digest()
    return PREFIX + base64.b64encode(key).decode()


def signature_of(secret: str, webhook_id: str, timestamp: int, body: bytes) -> str:
    """What the header `webhook-signature` says; `timestamp` in Unix seconds."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = hmac.new(key, f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()
