"""The page's visitors: a cookie for their own session, used from the page's own origin only."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from tests.web.site import Site, assert_problem
from web.auth import COOKIE

OWN = "http://localhost"
FOREIGN = [
    "http://evil.example",
    "null",
    "http://localhost.evil.example",
    "http://evil-localhost",
    "http://localhost:5001",
    "http://localhost@evil.example",
    "http://evil.example/http://localhost",
    "ftp://localhost",
    "localhost",
    "file://localhost",
    "http://",
    "http://[",
    "http://[::1",
]


def _visit(site: Site) -> tuple[FlaskClient, str]:
    """A browser with a new session, and the session's id."""
    browser = site.browser()
    reply = browser.post("/page/session", headers={"Origin": OWN})
    assert reply.status_code == 201, reply.text
    return browser, str((reply.json or {})["session_id"])


def test_a_visitor_gets_a_session_and_a_cookie_that_scripts_cannot_read(site: Site) -> None:
    """A script that slipped into the page, or another site's form, could use the visitor's cookie."""
    reply = site.browser().post("/page/session", headers={"Origin": OWN})
    words = {word.strip().lower() for word in reply.headers["Set-Cookie"].split(";")}
    assert {"httponly", "samesite=lax", "path=/"} <= words
    assert "secure" not in words


def test_behind_tls_the_cookie_never_travels_in_the_clear(site: Site) -> None:
    """Somebody on the visitor's network could read the cookie."""
    reply = site.browser().post("/page/session", headers={"Origin": "https://localhost"}, base_url="https://localhost")
    assert "Secure" in reply.headers["Set-Cookie"]


def test_a_visitor_follows_their_own_session(site: Site) -> None:
    """The page would show nothing."""
    browser, session_id = _visit(site)
    [event_id] = site.emit(session_id)
    reply = browser.get(f"/chat/events/{session_id}")
    assert [event["id"] for event in reply.json["events"]] == [event_id]  # type: ignore[index]


def test_a_visitor_who_comes_back_keeps_who_they_are(site: Site) -> None:
    """A second conversation would lock the visitor out of the first."""
    browser, first = _visit(site)
    reply = browser.post("/page/session", headers={"Origin": OWN})
    assert "Set-Cookie" not in reply.headers
    for session_id in (first, (reply.json or {})["session_id"]):
        assert browser.get(f"/chat/events/{session_id}").status_code == 200


def test_a_foreign_session_looks_like_one_that_does_not_exist(site: Site, session_id: str) -> None:
    """A visitor could find out which sessions others have, or read them."""
    browser, _ = _visit(site)
    site.say(session_id)
    for path in ("/chat/events/{}", "/chat/events/{}/latest", "/chat/{}"):
        foreign, unknown = browser.get(path.format(session_id)), browser.get(path.format("not-there"))
        assert assert_problem(foreign, 404) == assert_problem(unknown, 404) == "Chat session not found"


def test_a_visitor_may_not_write_into_a_foreign_or_a_made_up_session(site: Site, session_id: str) -> None:
    """A visitor could put words into another's conversation."""
    browser, _ = _visit(site)
    site.say(session_id)
    for body in ({"session_id": session_id}, {"session_id": "made-up"}, {}):
        reply = browser.post("/chat/", json={"message": "hello", **body}, headers={"Origin": OWN})
        assert_problem(reply, 404, "not_found")


@pytest.mark.parametrize("origin", [*FOREIGN, None])
def test_the_cookie_does_nothing_for_another_sites_page(site: Site, origin: str | None) -> None:
    """Another site's page could write, or delete, in the visitor's name."""
    browser, session_id = _visit(site)
    headers = {} if origin is None else {"Origin": origin}
    replies = [
        browser.post("/chat/", json={"message": "hello", "session_id": session_id}, headers=headers),
        browser.post(f"/chat/{session_id}/token", headers=headers),
        browser.delete(f"/chat/{session_id}", headers=headers),
    ]
    for reply in replies:
        assert_problem(reply, 403, "foreign_origin")
    assert browser.get(f"/chat/{session_id}").status_code == 200


@pytest.mark.parametrize("origin", FOREIGN)
def test_another_sites_page_makes_no_session(site: Site, origin: str) -> None:
    """Another site's page could open sessions here at its visitors' cost."""
    headers = {"Origin": origin}
    assert_problem(site.browser().post("/page/session", headers=headers), 403, "foreign_origin")


@pytest.mark.parametrize("origin", ["https://chat.example.org", "HTTPS://CHAT.example.ORG", "http://localhost"])
def test_an_allowed_origin_may_use_the_cookie(make_site: Callable[..., Site], origin: str) -> None:
    """A frontend on an address of its own could not be used."""
    site = make_site(SPANFEED_ALLOWED_ORIGINS=" https://Chat.example.org/ , https://other.example.org")
    browser, session_id = _visit(site)
    assert browser.post(f"/chat/{session_id}/token", headers={"Origin": origin}).status_code == 201
    refused = browser.post(f"/chat/{session_id}/token", headers={"Origin": "https://chat.example.org:444"})
    assert_problem(refused, 403, "foreign_origin")


def test_a_visitor_makes_a_token_for_their_own_session_only(site: Site, session_id: str) -> None:
    """A visitor could make themselves a token for another's session."""
    browser, own = _visit(site)
    site.say(session_id)
    assert browser.post(f"/chat/{own}/token", headers={"Origin": OWN}).status_code == 201
    assert_problem(browser.post(f"/chat/{session_id}/token", headers={"Origin": OWN}), 404)


def test_a_visitor_may_delete_their_own_session(site: Site) -> None:
    """A visitor could not take back what they have said."""
    browser, session_id = _visit(site)
    assert browser.delete(f"/chat/{session_id}", headers={"Origin": OWN}).status_code == 200
    assert_problem(browser.get(f"/chat/{session_id}"), 404)


@pytest.mark.parametrize("cookie", ["", "x", "visitor:1", "ImtleTptYWluIg.aaaaaa.bbbb", "\xe9"])
def test_a_cookie_that_was_made_up_is_nobodys(site: Site, session_id: str, cookie: str) -> None:
    """Anybody could call themselves the owner of a session."""
    headers = {"Cookie": f"{COOKIE}={cookie}"}
    assert_problem(site.get(f"/chat/events/{session_id}", key=None, headers=headers), 401, "unauthenticated")


@pytest.mark.parametrize(
    ("host", "word", "open_to_visitors"),
    [
        ("127.0.0.1", "auto", True),
        ("0.0.0.0", "auto", False),
        ("192.0.2.7", "", False),
        ("127.0.0.1", "off", False),
        ("0.0.0.0", "on", True),
    ],
)
def test_visitors_may_chat_where_the_operator_says_so(
    make_site: Callable[..., Site], host: str, word: str, open_to_visitors: bool
) -> None:
    """A server on the network would answer anybody at its owner's cost, without being told to."""
    site = make_site(SPANFEED_HOST=host, SPANFEED_PUBLIC_CHAT=word)
    reply = site.browser().post("/page/session", headers={"Origin": OWN})
    if open_to_visitors:
        assert reply.status_code == 201
    else:
        assert_problem(reply, 403, "no_public_chat")


def test_when_the_door_is_closed_old_cookies_open_it_no_more(make_site: Callable[..., Site]) -> None:
    """An operator who turns public chat off would go on answering everybody who came before."""
    browser, session_id = _visit(make_site())
    cookie = browser.get_cookie(COOKIE)
    assert cookie is not None
    closed = make_site(SPANFEED_PUBLIC_CHAT="off")
    headers = {"Cookie": f"{COOKIE}={cookie.value}", "Origin": OWN}
    again = closed.post("/page/session", key=None, headers=headers)
    assert again.status_code in {401, 403}, "an old cookie still makes new sessions"
    message = closed.post("/chat/", key=None, headers=headers, json={"message": "", "session_id": session_id})
    assert message.status_code in {401, 403}, "an old cookie still sends messages"


def test_a_visitors_session_speaks_their_browsers_language(site: Site) -> None:
    """A visitor whose browser asks for French would be told the stages in English."""
    from pipeline.store import conversations

    reply = site.browser().post("/page/session", headers={"Accept-Language": "fr-CA,fr;q=0.9,en;q=0.5"})
    session = conversations.find_session(site.store, (reply.json or {})["session_id"])
    assert session is not None
    assert session.language == "fr"
