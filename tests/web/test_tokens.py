"""Session tokens: short-lived, for one session, and worth nothing anywhere else."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from pipeline.settings import load
from tests.parts.stack import KEY, Stack
from tests.parts.waiting import wait_for
from tests.web.site import ADMIN_KEY, APP_KEY, Site, assert_problem
from tests.web.wire import Wire
from web.auth import COOKIE, Doors


def _token(site: Site, session_id: str, key: str = APP_KEY) -> str:
    reply = site.post(f"/chat/{session_id}/token", key)
    assert reply.status_code == 201, reply.text
    body = reply.json or {}
    assert body["session_id"] == session_id
    assert body["expires_in"] == site.settings.token_ttl_seconds
    return str(body["token"])


@pytest.mark.parametrize("way", ["bearer", "header", "query"])
def test_a_token_opens_its_session(site: Site, session_id: str, way: str) -> None:
    """A browser, which must not know the key, could not follow its own session."""
    [event_id] = site.emit(session_id)
    token = _token(site, session_id)
    headers = {"bearer": {"Authorization": f"Bearer {token}"}, "header": {"X-API-Key": token}}.get(way, {})
    query = {"token": token} if way == "query" else {}
    reply = site.get(f"/chat/events/{session_id}", key=None, headers=headers, query_string=query)
    assert [event["id"] for event in reply.json["events"]] == [event_id]  # type: ignore[index]


@pytest.mark.parametrize("key", [KEY, APP_KEY, ADMIN_KEY])
def test_every_key_may_make_one(site: Site, session_id: str, key: str) -> None:
    """An application could not hand its browser a token."""
    assert site.get(f"/chat/events/{session_id}", key=_token(site, session_id, key)).status_code == 200


def test_a_token_may_be_made_before_the_first_message(site: Site, session_id: str) -> None:
    """A client that opens its feed first would have no token to open it with."""
    token = _token(site, session_id)
    assert site.page(session_id)["events"] == []
    assert site.get(f"/chat/events/{session_id}", key=token).status_code == 200


def test_a_token_sends_messages_to_its_own_session_only(site: Site, session_id: str) -> None:
    """Whoever holds a token for one session could write into another."""
    site.say("somebody-elses")
    token = _token(site, session_id)
    for other in ("somebody-elses", "not-there-yet"):
        reply = site.post("/chat/", token, json={"message": "hello", "session_id": other})
        assert assert_problem(reply, 404) == "Chat session not found"


def test_a_token_may_not_delete(site: Site, session_id: str) -> None:
    """A page that was shown a session could erase it."""
    site.say(session_id)
    assert_problem(site.ask("DELETE", f"/chat/{session_id}", _token(site, session_id, KEY)), 403)


def test_a_token_makes_no_token_for_another_session(site: Site, session_id: str) -> None:
    """Whoever was let into one session could let themselves into all."""
    assert_problem(site.post("/chat/another/token", _token(site, session_id)), 404)


def _tampered(token: str) -> list[str]:
    pieces = token.split(".")
    changed = [token[:-2] + ("AA" if token[-2:] != "AA" else "BB"), token[:-1], token + "A", "." + token, ""]
    for place, piece in enumerate(pieces):
        other = ("A" if piece[0] != "A" else "B") + piece[1:]
        changed.append(".".join([*pieces[:place], other, *pieces[place + 1 :]]))
    return [*changed, pieces[0], ".".join(pieces[:2]), ".".join(reversed(pieces)), "a.b.c", "é", "\x00"]


def test_a_token_that_was_changed_is_worth_nothing(site: Site, session_id: str) -> None:
    """Whoever changes the session or the time in a token would be let in."""
    for token in filter(None, _tampered(_token(site, session_id))):
        reply = site.get(f"/chat/events/{session_id}", key=None, query_string={"token": token})
        assert assert_problem(reply, 401, "unauthenticated") == "Invalid or expired token"


def test_a_token_signed_elsewhere_is_worth_nothing(site: Site, session_id: str) -> None:
    """The token of another installation, or a cookie, would open the session."""
    elsewhere = Doors(load({"SPANFEED_SECRET_KEY": "another secret that is just as long as the first one"}))
    _, cookie = site.state.doors.make_cookie()
    for token in (elsewhere.make_token(session_id, "key:main"), cookie):
        assert_problem(site.get(f"/chat/events/{session_id}", key=token), 401, "unauthenticated")


def test_a_token_is_no_cookie(site: Site, session_id: str) -> None:
    """A token could be stretched to the cookie's long life."""
    headers = {"Cookie": f"{COOKIE}={_token(site, session_id)}"}
    assert_problem(site.get(f"/chat/events/{session_id}", key=None, headers=headers), 401, "unauthenticated")


def test_a_token_expires(make_site: Callable[..., Site], session_id: str) -> None:
    """A link that was seen once would open the session for ever."""
    site = make_site(SPANFEED_TOKEN_TTL_SECONDS="1")

    def status(token: str) -> int:
        return site.get(f"/chat/events/{session_id}", key=token).status_code

    # On a busy machine a token may have ended before it is first used: then another is made.
    token = wait_for(lambda: one if status(one := _token(site, session_id)) == 200 else None, "a token's use")
    wait_for(lambda: status(token) == 401, "the token's end")
    reply = site.get(f"/chat/events/{session_id}", key=None, query_string={"token": token})
    assert assert_problem(reply, 401) == "Invalid or expired token"


def test_no_log_says_a_token(make_stack: Callable[..., Stack]) -> None:
    """Whoever may read the logs could follow, and write into, every session of the last hour."""
    stack = make_stack(GUNICORN_CMD_ARGS="--access-logfile - --log-level debug", LOG_LEVEL="DEBUG")
    stack.start(worker=False, recorder=False)
    with stack.client() as client:
        token = client.post("/chat/s/token").json()["token"]
    for path in ("/chat/events/s", "/chat/events/another", "/nope", "/chat/events/s?limit=x"):
        httpx.get(f"{stack.url}{path}", params={"token": token})
        httpx.get(f"{stack.url}{path}", headers={"Authorization": f"Bearer {token}"})
    with Wire(stack.url) as wire:
        assert wire.upgrade(f"/chat/ws/events/s?token={token}", None).status == 101
    wait_for(lambda: "GET /chat/events/s HTTP" in stack.log("web"), "the access log")
    assert token not in stack.log("web")
    assert KEY not in stack.log("web")
