"""Whose word about a client's address and scheme counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.web.site import Site

_PROXY = {"REMOTE_ADDR": "10.0.0.1"}


def _until_refused(site: Site, forwarded: str) -> int:
    """How many requests of a stranger are let through to the question who they are."""
    for count in range(10):
        headers = {"X-Forwarded-For": forwarded}
        reply = site.get("/chat/events/s", key=None, headers=headers, environ_overrides=_PROXY)
        if reply.status_code == 429:
            return count
        assert reply.status_code == 401
    return 10


@pytest.mark.parametrize(
    ("proxies", "first", "second", "left"),
    [
        ("0", "192.0.2.1", "192.0.2.2", 0),
        ("1", "192.0.2.1", "192.0.2.2", 5),
        # What stands left of the proxy's own entry was sent by the client.
        ("1", "192.0.2.8, 192.0.2.1", "192.0.2.9, 192.0.2.1", 0),
        ("2", "192.0.2.8, 192.0.2.1, 10.0.0.2", "192.0.2.9, 192.0.2.3, 10.0.0.2", 5),
        # Fewer than are trusted: nobody has vouched for it.
        ("2", "192.0.2.1", "192.0.2.2", 0),
    ],
)
def test_an_address_counts_if_a_trusted_proxy_says_so(
    make_site: Callable[..., Site], proxies: str, first: str, second: str, left: int
) -> None:
    """Without this all visitors behind a proxy would share one limit, or one of them could escape every limit."""
    site = make_site(SPANFEED_TRUSTED_PROXIES=proxies, SPANFEED_REQUESTS_PER_MINUTE="5")
    assert _until_refused(site, first) == 5
    assert _until_refused(site, second) == left
