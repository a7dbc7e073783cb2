"""Keys: which there are, what each may do, and where one may stand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.parts.stack import KEY
from tests.web.site import ADMIN_KEY, APP_KEY, Site, assert_problem


@pytest.mark.parametrize("key", [KEY, APP_KEY, ADMIN_KEY])
def test_each_of_the_three_keys_reads(site: Site, session_id: str, key: str) -> None:
    """A client that was set up for one of the seeds would be shut out."""
    [event_id] = site.emit(session_id)
    reply = site.get(f"/chat/events/{session_id}", key)
    assert [event["id"] for event in reply.json["events"]] == [event_id]  # type: ignore[index]


@pytest.mark.parametrize("key", [KEY, APP_KEY, ADMIN_KEY])
def test_each_of_the_three_keys_writes(site: Site, key: str) -> None:
    """An application could read its users' sessions but not ask for them."""
    assert_problem(site.post("/chat/", key, json={"message": ""}), 422)


@pytest.mark.parametrize("key", [KEY, ADMIN_KEY])
def test_main_and_administrator_delete(site: Site, session_id: str, key: str) -> None:
    """Nobody could take a conversation away."""
    site.say(session_id)
    assert site.ask("DELETE", f"/chat/{session_id}", key).status_code == 200
    assert_problem(site.get(f"/chat/{session_id}", key), 404)


def test_the_applications_key_does_not_delete(site: Site, session_id: str) -> None:
    """An application that was only to read and write could erase conversations."""
    site.say(session_id)
    assert_problem(site.ask("DELETE", f"/chat/{session_id}", APP_KEY), 403, "insufficient_scope")
    assert site.get(f"/chat/{session_id}").status_code == 200


@pytest.mark.parametrize("word", ["Bearer", "bearer", "BEARER"])
def test_a_key_may_come_as_bearer(site: Site, word: str) -> None:
    """A client of the second seed would be shut out."""
    assert site.get("/chat/events/s", key=None, headers={"Authorization": f"{word} {KEY}"}).status_code == 200


def test_the_same_key_twice_is_one_key(site: Site) -> None:
    """A client that sends both headers to be sure would be shut out."""
    assert site.get("/chat/events/s", headers={"Authorization": f"Bearer {KEY}"}).status_code == 200


@pytest.mark.parametrize("other", [APP_KEY, "sf_wrong"])
def test_two_different_keys_are_refused(site: Site, other: str) -> None:
    """A proxy that adds a key of its own would silently act for somebody else."""
    reply = site.get("/chat/events/s", headers={"Authorization": f"Bearer {other}"})
    assert_problem(reply, 400, "ambiguous_credentials")


@pytest.mark.parametrize("name", ["key", "api_key", "apikey", "api-key", "X-API-Key", "x_api_key", "access_token"])
def test_a_key_in_the_address_is_never_read(site: Site, name: str) -> None:
    """Keys would end up in logs and histories, because somebody found that it works."""
    assert_problem(site.get("/chat/events/s", key=None, query_string={name: KEY}), 401, "unauthenticated")


def test_a_key_is_no_token(site: Site) -> None:
    """Keys would end up in logs and histories by way of ?token=."""
    assert_problem(site.get("/chat/events/s", key=None, query_string={"token": KEY}), 401, "unauthenticated")


@pytest.mark.parametrize("key", ["", " ", "sf_", KEY[:-1], f"{KEY}x", KEY.upper(), "\xe9\xff", "x" * 5_000, f"{KEY},x"])
def test_what_is_not_a_key_opens_nothing(site: Site, key: str) -> None:
    """A key that is nearly right, or breaks the comparison, would be let in."""
    assert_problem(site.get("/chat/events/s", key=key), 401, "unauthenticated")


@pytest.mark.parametrize("header", ["Basic c3BhbmZlZWQ6eA==", "Bearer", "Bearer ", "Digest", "", f"Token {KEY}"])
def test_other_schemes_are_no_key(site: Site, header: str) -> None:
    """A password for another service would be taken for a key, or end in an error."""
    assert_problem(site.get("/chat/events/s", key=None, headers={"Authorization": header}), 401, "unauthenticated")


def test_a_key_that_is_not_set_is_not_the_empty_one(make_site: Callable[..., Site]) -> None:
    """Where no administrator's key is set, an empty one would open everything."""
    site = make_site(GOVSTACK_API_KEY="", GOVSTACK_ADMIN_API_KEY="", SPANFEED_API_KEY="")
    for key in ("", " ", None):
        assert_problem(site.get("/chat/events/s", key=key), 401, "unauthenticated")


def test_an_applications_key_may_look_at_a_session_that_nobody_has_used(site: Site, session_id: str) -> None:
    """A client that polls before its first message would stop at an error."""
    reply = site.get(f"/chat/events/{session_id}", APP_KEY)
    assert reply.status_code == 200
    body = reply.json or {}
    assert body["events"] == []
    assert (body["total_count"], body["has_more"], body["next_after"]) == (0, False, None)
