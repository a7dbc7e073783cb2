"""The page that shows the documents: whole, safe, and without anything from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from tests.web.site import Site
from web.contract.asyncapi import FEEDS
from web.contract.openapi import routes
from web.contract.page import kind

_VOID = {"meta", "link"}


class _Reader(HTMLParser):
    """Notes elements, ids, addresses and words; fails where elements are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.kinds: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes it."""
        self.kinds.add(tag)
        if tag not in _VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            assert name != "style"
            if name == "id":
                self.ids.append(value or "")
            elif name in {"href", "src"}:
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        """Closes it."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Notes it."""
        self.text += data


@pytest.fixture(scope="module")
def drawn(site: Site) -> _Reader:
    """The page, as anybody gets it."""
    reply = site.get("/api/v1/docs", key=None)
    assert reply.content_type == "text/html; charset=utf-8"
    reader = _Reader()
    reader.feed(reply.text)
    assert reader.open == []
    return reader


def test_every_route_and_feed_is_on_the_page(drawn: _Reader, site: Site) -> None:
    """Without this somebody would look for a route on the page, and think that there is none."""
    for path, method, _ in routes(site.app):
        assert f"{method.upper()} {path}" in drawn.text
    for feed in FEEDS.values():
        assert f"{feed.address}: the server says" in drawn.text
        assert all(name in drawn.text for name in feed.sent)


def test_the_page_loads_nothing_from_elsewhere_and_runs_nothing(drawn: _Reader, site: Site) -> None:
    """Without this a page under the strict policy would be blank, or tell strangers who reads it."""
    assert drawn.kinds.isdisjoint({"script", "style", "img", "iframe", "form", "object"})
    for link in drawn.links:
        if link.startswith("#"):
            assert link[1:] in drawn.ids
        else:
            assert re.match(r"/(?!/)", link)
            assert site.get(link, key=None).status_code == 200
    assert len(set(drawn.ids)) == len(drawn.ids)


def test_what_a_schema_says_is_written_as_text() -> None:
    """Without this a pattern or a name with a sign of HTML in it would break the page, or run in it."""
    assert kind({"type": "string", "pattern": "<b>&"}) == "string like &lt;b&gt;&amp;"
    assert kind({"enum": ["<i>"]}) == "<code>&lt;i&gt;</code>"
    assert kind({"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]}) == (
        "list of integer or null"
    )
