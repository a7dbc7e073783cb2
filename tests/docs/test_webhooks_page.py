"""The code that the how-to gives to receivers, with the deliveries that they get."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.settings import load
from pipeline.subscriptions.signing import secret_of, signature_of
from tests.docs import pages

SECRET = secret_of(load({"SPANFEED_SECRET_KEY": "s" * 40}), "sub_1", 1)
BODY = b'{"type":"document.uploaded"}'


@pytest.fixture(scope="module")
def is_genuine() -> Callable[[str, dict[str, str], bytes], bool]:
    """The function of the page."""
    [code] = [code for kind, code in pages.code(pages.page("how-to/receive-webhooks.md")) if kind == "python"]
    names: dict[str, Any] = {}
    exec(compile(code, "receive-webhooks.md", "exec"), names)
    found: Callable[[str, dict[str, str], bytes], bool] = names["is_genuine"]
    return found


def headers(sent_at: int) -> dict[str, str]:
    """What a webhook of that moment shows."""
    signature = signature_of(SECRET, "evt_7", sent_at, BODY)
    return {"webhook-id": "evt_7", "webhook-timestamp": str(sent_at), "webhook-signature": signature}


def test_the_receivers_code_knows_a_genuine_webhook(is_genuine: Callable[..., bool]) -> None:
    """A receiver that follows the page would refuse everything, or believe anybody."""
    now = int(time.time())
    assert is_genuine(SECRET, headers(now), BODY)
    assert not is_genuine(SECRET, headers(now), BODY + b" ")
    assert not is_genuine(SECRET, headers(now - 3_600), BODY)
    assert not is_genuine(SECRET, headers(now) | {"webhook-id": "evt_8"}, BODY)
    assert not is_genuine(secret_of(load({"SPANFEED_SECRET_KEY": "s" * 40}), "sub_1", 2), headers(now), BODY)
