"""Reading a conversation back, and deleting it."""

from __future__ import annotations

import re

from pipeline.store import conversations
from tests.web.site import Site, assert_problem

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def _exchange(site: Site, session_id: str, number: int) -> str:
    message_id = site.say(session_id, f"question {number}", user_id="u-1", metadata={"from": "test"})
    answer = {"sources": [{"title": "T", "url": "u", "snippet": "s"}], "confidence": 0.8}
    conversations.save_answer(
        site.store, message_id=message_id, content=f"answer {number}", answer=answer, confidence=0.8
    )
    return message_id


def test_a_conversation_has_the_seeds_shape(site: Site, session_id: str) -> None:
    """A client written for the first seed could not show what was said."""
    ids = [_exchange(site, session_id, number) for number in range(2)]
    body = site.get(f"/chat/{session_id}").json or {}
    assert set(body) >= {"session_id", "messages", "user_id", "created_at", "updated_at"}
    assert (body["session_id"], body["user_id"]) == (session_id, "u-1")
    assert body["message_count"] == body["num_messages"] == 4
    assert _TIME.fullmatch(body["created_at"])
    assert body["created_at"] <= body["updated_at"]
    for turn in body["messages"]:
        assert set(turn) == {
            "id", "message_id", "message_type", "message_object", "content", "timestamp", "metadata",
        }  # fmt: skip
        assert _TIME.fullmatch(turn["timestamp"])
        assert turn["message_object"] == {"role": turn["message_type"], "content": turn["content"]}
    assert [turn["content"] for turn in body["messages"]] == ["question 0", "answer 0", "question 1", "answer 1"]
    assert [turn["message_type"] for turn in body["messages"]] == ["user", "assistant"] * 2
    assert [turn["message_id"] for turn in body["messages"]] == [ids[0], ids[0], ids[1], ids[1]]
    numbers = [turn["id"] for turn in body["messages"]]
    assert numbers == sorted(set(numbers))
    assert body["messages"][0]["metadata"]["from"] == "test"
    assert body["messages"][1]["metadata"]["sources"] == [{"title": "T", "url": "u", "snippet": "s"}]


def test_a_message_is_found_in_its_own_session_only(site: Site, session_id: str) -> None:
    """Whoever knows a message's id could read it through a session of their own."""
    message_id = _exchange(site, session_id, 1)
    site.say("of-somebody-else")
    assert site.get(f"/chat/{session_id}/messages/{message_id}").status_code == 200
    for path in (f"/chat/of-somebody-else/messages/{message_id}", f"/chat/{session_id}/messages/none"):
        assert assert_problem(site.get(path), 404) == "Message not found"


def test_a_made_up_message_is_not_found(site: Site, session_id: str) -> None:
    """What a stranger makes up would reach the database, or end in an error of the server."""
    site.say(session_id)
    for made_up in ("*", "x" * 65, "..", "%00", "' OR 1=1--", "%ED%A0%80", "a%0Ab"):
        assert_problem(site.get(f"/chat/{session_id}/messages/{made_up}"), 404)


def test_deleting_says_so_and_takes_everything_away(site: Site, session_id: str) -> None:
    """A user who takes back a conversation would find it again."""
    message_id = _exchange(site, session_id, 1)
    reply = site.ask("DELETE", f"/chat/{session_id}")
    assert reply.status_code == 200
    assert reply.json == {"message": f"Chat session {session_id} deleted successfully"}
    for path in (f"/chat/{session_id}", f"/chat/{session_id}/messages/{message_id}"):
        assert assert_problem(site.get(path), 404) == "Chat session not found"
    assert assert_problem(site.ask("DELETE", f"/chat/{session_id}"), 404) == "Chat session not found"
    assert conversations.find_message(site.store, message_id) is None


def test_deleting_one_conversation_leaves_the_others(site: Site, session_id: str) -> None:
    """Another user's conversation would be gone as well."""
    kept = f"{session_id}-kept"
    _exchange(site, session_id, 1)
    _exchange(site, kept, 2)
    site.ask("DELETE", f"/chat/{session_id}")
    assert (site.get(f"/chat/{kept}").json or {})["message_count"] == 2


def test_after_a_deletion_the_numbering_goes_on(site: Site, session_id: str) -> None:
    """A client that counts the events could not tell a deleted session from a lost event."""
    site.say(session_id)
    site.emit(session_id, 3)
    site.ask("DELETE", f"/chat/{session_id}")
    site.emit(session_id)
    assert site.page(session_id, limit=1)["events"][0]["seq"] == 4
