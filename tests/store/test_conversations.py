"""Sessions and messages: what was asked, answered, and how it ended."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from pipeline.store import Store
from pipeline.store import conversations as talk

ANSWER = {"text": "ünï", "sources": [{"title": "a", "url": None}], "usage": None}


def ask(
    store: Store, message_id: str, session_id: str = "s-1", content: str = "Why?", **more: Any
) -> tuple[str, str] | None:
    """Accepts a user's message; gives the session and message that its idempotency key stands for already."""
    given: dict[str, Any] = {
        "language": "en",
        "owner": "key-1",
        "user_id": "u-1",
        "collection": None,
        "metadata": None,
        "trace_id": "0" * 31 + "1",
        **more,
    }
    return talk.accept_message(store, session_id=session_id, message_id=message_id, content=content, **given)


def answer(store: Store, message_id: str, content: str = "Because.") -> None:
    """Stores an answer."""
    talk.save_answer(store, message_id=message_id, content=content, answer=ANSWER, confidence=0.875)


def fail(store: Store, message_id: str, said: str = "", status: str = "failed", reason: str = "timeout") -> None:
    """Marks a message as failed."""
    with store.write() as connection:
        talk.fail_message(connection, message_id, status, reason, said)


def told(store: Store, session_id: str = "s-1") -> list[tuple[str, str, str, str]]:
    """The session's messages."""
    return [(m.message_id, m.role, m.status, m.content) for m in talk.conversation(store, session_id)]


def test_an_accepted_message_is_kept_whole(store: Store) -> None:
    """A question would be answered in the wrong language, from the wrong documents, or for nobody."""
    before = datetime.datetime.now(datetime.UTC)
    assert not ask(store, "m-1", content="Où? 📄", language="fr", collection="docs", metadata={"a": [1]})
    found = talk.find_message(store, "m-1")
    assert found is not None
    assert (found.session_id, found.role, found.status, found.content) == ("s-1", "user", "accepted", "Où? 📄")
    assert (found.language, found.collection, found.metadata, found.reason) == ("fr", "docs", {"a": [1]}, None)
    assert (found.partial, found.answer, found.trace_id) == (False, None, "0" * 31 + "1")
    assert before - datetime.timedelta(seconds=1) <= found.created_at <= datetime.datetime.now(datetime.UTC)
    session = talk.find_session(store, "s-1")
    assert session is not None
    assert (session.owner, session.user_id, session.language) == ("key-1", "u-1", "fr")
    assert session.created_at.tzinfo is datetime.UTC


def test_an_unknown_session_is_made_once(store: Store) -> None:
    """A second question would take the conversation away from its owner."""
    ask(store, "m-1", owner="first")
    made = talk.find_session(store, "s-1")
    ask(store, "m-2", owner="second", user_id="u-2")
    again = talk.find_session(store, "s-1")
    assert made is not None
    assert again is not None
    assert (again.owner, again.user_id, again.created_at) == ("first", "u-1", made.created_at)
    assert again.updated_at >= made.updated_at
    assert talk.open_session(store, "s-2", "o", None, "en")
    assert not talk.open_session(store, "s-2", "p", None, "en")
    assert talk.find_session(store, "s-3") is None


def test_one_message_id_is_one_message(store: Store) -> None:
    """A repeated request would be two questions."""
    ask(store, "m-1")
    with pytest.raises(IntegrityError):
        ask(store, "m-1", session_id="s-2")
    assert told(store) == [("m-1", "user", "accepted", "Why?")]
    # All or nothing: the session of the refused message was not made either.
    assert talk.find_session(store, "s-2") is None


def test_an_answer_completes_its_message(store: Store) -> None:
    """A reload would show a question without its answer."""
    ask(store, "m-1", language="sw", collection="docs")
    answer(store, "m-1")
    assert told(store) == [("m-1", "user", "completed", "Why?"), ("m-1", "assistant", "completed", "Because.")]
    found = talk.find_message(store, "m-1", talk.ASSISTANT)
    assert found is not None
    assert (found.answer, found.language, found.collection, found.partial) == (ANSWER, "sw", "docs", False)
    assert found.trace_id == "0" * 31 + "1"


def test_saving_an_answer_again_changes_nothing(store: Store) -> None:
    """A worker that was killed after saving would leave the answer twice."""
    ask(store, "m-1")
    answer(store, "m-1")
    first = talk.find_message(store, "m-1", talk.ASSISTANT)
    answer(store, "m-1", "Otherwise.")
    assert talk.find_message(store, "m-1", talk.ASSISTANT) == first
    assert talk.count_messages(store, "s-1") == 2


def test_an_answer_to_a_deleted_question_is_dropped(store: Store) -> None:
    """A conversation that its user has deleted would come back."""
    ask(store, "m-1")
    talk.delete_session(store, "s-1")
    answer(store, "m-1")
    fail(store, "m-1", "half")
    assert (told(store), talk.find_session(store, "s-1")) == ([], None)


def test_a_failed_message_keeps_what_had_been_said(store: Store) -> None:
    """What a user has read would be gone after a reload."""
    ask(store, "m-1")
    for _ in range(2):
        fail(store, "m-1", "Beca")
    assert told(store) == [("m-1", "user", "failed", "Why?"), ("m-1", "assistant", "failed", "Beca")]
    asked, said = talk.conversation(store, "s-1")
    assert (asked.reason, said.reason, asked.partial, said.partial) == ("timeout", "timeout", False, True)


def test_a_message_that_failed_in_silence_has_no_answer(store: Store) -> None:
    """A page would show an empty answer."""
    ask(store, "m-1")
    fail(store, "m-1", status="cancelled", reason="cancelled")
    assert told(store) == [("m-1", "user", "cancelled", "Why?")]
    fail(store, "unknown", "x")


def test_an_answered_message_does_not_fail(store: Store) -> None:
    """An answer that was given would be taken back."""
    ask(store, "m-1")
    answer(store, "m-1")
    fail(store, "m-1", "x")
    assert [row[2] for row in told(store)] == ["completed", "completed"]


def test_a_message_that_has_failed_stays_failed(store: Store) -> None:
    """A worker that woke up late would complete a message whose failure the user has been told."""
    ask(store, "m-1")
    fail(store, "m-1", "Beca")
    answer(store, "m-1")
    assert told(store) == [("m-1", "user", "failed", "Why?"), ("m-1", "assistant", "failed", "Beca")]


def test_history_is_what_was_finished_before(store: Store) -> None:
    """A follow-up would be understood from the wrong question, from half an answer, or from the future."""
    for n in range(1, 5):
        ask(store, f"m-{n}", content=f"q{n}")
        if n == 2:
            fail(store, "m-2", "ha")
        elif n != 4:
            answer(store, f"m-{n}", f"a{n}")
    ask(store, "other", session_id="s-2")
    answer(store, "other")
    assert [m.content for m in talk.history(store, "s-1", "m-4", 10)] == ["q1", "a1", "q3", "a3"]
    assert [m.content for m in talk.history(store, "s-1", "m-4", 3)] == ["a1", "q3", "a3"]
    assert [m.content for m in talk.history(store, "s-1", "m-3", 10)] == ["q1", "a1"]
    assert talk.history(store, "s-1", "m-1", 10) == []
    assert talk.history(store, "s-1", "unknown", 10) == []
    assert [talk.has_history(store, "s-1", m) for m in ("m-1", "m-2", "m-4")] == [False, True, True]


def test_a_conversation_is_in_the_order_in_which_it_was_held(store: Store) -> None:
    """A reload would show another conversation."""
    for n in range(3):
        ask(store, f"m-{n}")
        answer(store, f"m-{n}")
    assert [(m, r) for m, r, _, _ in told(store)] == [
        (f"m-{n}", role) for n in range(3) for role in ("user", "assistant")
    ]
    assert talk.count_messages(store, "s-1") == 6
    assert (told(store, "s-2"), talk.count_messages(store, "s-2")) == ([], 0)


def test_messages_without_an_ending_are_found(store: Store) -> None:
    """A reloaded page would not show that an answer is on its way."""
    for n in range(5):
        ask(store, f"m-{n}")
    answer(store, "m-1")
    fail(store, "m-2")
    assert talk.unfinished(store, "s-1", 10) == ["m-0", "m-3", "m-4"]
    assert talk.unfinished(store, "s-1", 2) == ["m-3", "m-4"]


def test_a_deleted_session_is_gone_and_others_stay(store: Store) -> None:
    """A user's wish to be forgotten would not be granted, or be granted for somebody else."""
    ask(store, "m-1")
    answer(store, "m-1")
    ask(store, "m-2", session_id="s-2")
    assert talk.delete_session(store, "s-1")
    assert not talk.delete_session(store, "s-1")
    assert (told(store), talk.find_session(store, "s-1")) == ([], None)
    assert len(told(store, "s-2")) == 1
