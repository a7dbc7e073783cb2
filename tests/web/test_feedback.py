"""Feedback: one rating of each user for a message, kept, told once a change, and never by or to a stranger."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from pipeline.store.models import message_feedback
from tests.parts.stack import KEY
from tests.web.site import APP_KEY, Site, assert_problem
from tests.web.test_told_sign_ins import everything, told
from web.auth import COOKIE
from web.keyring import Locksmith


def rate(site: Site, session_id: str, message_id: str, key: str | None = KEY, **body: Any) -> TestResponse:
    """Gives a rating."""
    more = {"headers": body.pop("headers", {})}
    return site.post(f"/chat/{session_id}/messages/{message_id}/feedback", key, json=body, **more)


def kept(site: Site, message_id: str) -> list[tuple[str, str, str | None]]:
    """Who has rated the message how."""
    columns = message_feedback.c
    statement = select(columns.given_by, columns.rating, columns.comment).where(columns.message_id == message_id)
    with site.store.read() as connection:
        return sorted(tuple(row) for row in connection.execute(statement))


def test_a_rating_is_kept_changed_and_told_without_its_comment(site: Site, session_id: str) -> None:
    """Without this nobody would learn that an answer was wrong; or each click would be another opinion."""
    message_id = site.say(session_id, user_id="anna")
    first = rate(site, session_id, message_id, rating="down", comment="  It ate a pangolin. ")
    assert (first.status_code, first.json["changed"], first.json["comment"]) == (201, True, "It ate a pangolin.")  # type: ignore[index]
    again = rate(site, session_id, message_id, rating="down", comment="It ate a pangolin.")
    assert (again.status_code, again.json["changed"]) == (200, False)  # type: ignore[index]
    assert again.json["created_at"] == first.json["created_at"]  # type: ignore[index]
    other = rate(site, session_id, message_id, rating=4)
    assert (other.status_code, other.json["rating"], other.json["comment"]) == (200, 4, None)  # type: ignore[index]
    assert rate(site, session_id, message_id, APP_KEY, rating="up", user_id="bert").status_code == 201
    assert kept(site, message_id) == [("anna", "4", None), ("bert", "up", None)]
    events = [e for e in told(site, "message.feedback") if e["event_data"]["message_id"] == message_id]
    assert [(e["user_id"], e["event_data"]["rating"], e["event_data"]["score"]) for e in events] == [
        ("anna", "down", 0.0),
        ("anna", "4", 0.75),
        ("bert", "up", 1.0),
    ]
    assert [e["event_data"]["has_comment"] for e in events] == [True, False, False]
    assert {(e["category"], e["priority"], e["metadata"]["audience"]) for e in events} == {
        ("analytics", "low", "operator")
    }
    assert b"pangolin" not in everything(site.bus)
    assert site.ask("DELETE", f"/chat/{session_id}").status_code == 200
    assert kept(site, message_id) == []


WRONG: dict[str, dict[str, Any]] = {
    "none": {},
    "another word": {"rating": "sideways"},
    "too low": {"rating": 0},
    "too high": {"rating": 6},
    "a fraction": {"rating": 4.5},
    "yes": {"rating": True},
    "a number as text": {"rating": "3"},
    "nothing": {"rating": None},
    "a comment that is none": {"rating": "up", "comment": 7},
    "too long a comment": {"rating": "up", "comment": "x" * 2_001},
    "a user without a name": {"rating": "up", "user_id": ""},
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_rating_is_refused(site: Site, session_id: str, name: str) -> None:
    """Without this an average of ratings would be made of nonsense."""
    message_id = site.say(session_id)
    assert_problem(rate(site, session_id, message_id, **WRONG[name]), 422)
    assert kept(site, message_id) == []


def test_a_stranger_rates_nothing_and_learns_nothing(site: Site, session_id: str) -> None:
    """Without this anybody could vote on others' answers, or find out which sessions there are."""
    message_id = site.say(session_id, owner="anna")
    bert = Locksmith(site.settings, site.store).create("b", ["chat:write", "events:read"], "test", "bert")[0]
    cookie = {"Cookie": f"{COOKIE}={site.state.doors.make_cookie()[1]}", "Origin": "http://localhost"}
    for key, headers in ((bert, {}), (None, cookie)):
        reply = rate(site, session_id, message_id, key, rating="up", headers=headers)
        assert assert_problem(reply, 404) == "Chat session not found"
    assert_problem(rate(site, session_id, message_id, None, rating="up"), 401)
    assert_problem(rate(site, session_id, "no-such-message", rating="up"), 404)
    assert_problem(rate(site, session_id, site.say("another-session"), rating="up"), 404)
    assert kept(site, message_id) == []


def test_a_user_speaks_for_nobody_else(site: Site, session_id: str) -> None:
    """Without this one user could vote as all others."""
    message_id = site.say(session_id, owner="anna", user_id="anna")
    anna = Locksmith(site.settings, site.store).create("a", ["chat:write", "events:read"], "test", "anna")[0]
    token = site.state.doors.make_token(session_id, "key:main")
    for key in (anna, token):
        rate(site, session_id, message_id, key, rating="up", user_id="bert")
    assert kept(site, message_id) == [("anna", "up", None)]
