"""The main story from end to end: answers, words, documents, the parts that may be away."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from tests.parts.stack import Stack
from tests.stand_in import StandIn

TURNIPS = "# Zebras\n\nThe blue zebra Quillon eats exactly seven turnips a day.\n"
QUESTION = "How many turnips does the zebra Quillon eat?"


def _model(model: StandIn) -> dict[str, str]:
    return {"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "sk-test", "OPENAI_MODEL": model.model}


def test_the_reply_is_the_first_seeds_json(make_stack: Callable[..., Stack], database_url: str) -> None:
    """Without this a GovStack frontend would not find the fields that it reads, on one of the databases."""
    stack = make_stack(database_url).start()
    stack.add_document("zebra.md", TURNIPS)
    reply = stack.ask(QUESTION)
    assert reply.status_code == 200, reply.text
    body = reply.json()
    seed = {
        "session_id": str,
        "message_id": str,
        "answer": str,
        "sources": list,
        "confidence": float,
        "retriever_type": str,
        "recommended_follow_up_questions": list,
        "trace_id": str,
    }
    assert {name: type(body[name]) for name in seed} == seed
    assert "usage" in body
    assert "exactly seven turnips" in body["answer"]
    assert {"title", "url", "snippet"} <= set(body["sources"][0])
    assert body["sources"][0]["path"] == "zebra.md"
    with stack.client() as client:
        conversation = client.get(f"/chat/{body['session_id']}").json()
        assert [turn["message_type"] for turn in conversation["messages"]] == ["user", "assistant"]
        assert conversation["message_count"] == conversation["num_messages"] == 2
    stack.settled()
    assert "saving_message completed" in stack.command("events", "stats")


def test_a_new_fact_is_cited_and_a_removed_one_refused(make_stack: Callable[..., Stack]) -> None:
    """Without this a user's own documents would not be answered from, or still be after they were removed.

    What Spanfeed says itself it says in the question's language.
    """
    stack = make_stack().start()
    fact = uuid.uuid4().hex[:12]
    file = stack.written("facts.md", f"# Vault\n\nThe code word of the vault Merribold is {fact}.\n", "facts")
    stack.command("documents", "add", str(file), "--collection", "facts")
    found = stack.ask("What is the code word of the vault Merribold?").json()
    assert fact in found["answer"]
    assert found["sources"][0]["path"] == "facts.md"
    assert "facts: 1 documents" in stack.command("documents", "list")
    stack.command("documents", "remove", "facts", "facts.md")
    assert (
        "Je n'ai pas trouvé de réponse" in stack.ask("Quel est le mot de passe du coffre Merribold ?").json()["answer"]
    )
    gone = stack.ask("What is the code word of the vault Merribold?").json()
    assert fact not in gone["answer"]
    assert gone["sources"] == []
    assert gone["refused"] is True


def test_one_collection_only(make_stack: Callable[..., Stack]) -> None:
    """Without this POST /chat/{collection} would answer from other people's documents."""
    stack = make_stack().start()
    stack.add_document("zebra.md", TURNIPS, "zoo")
    stack.add_document("other.md", "# Other\n\nThe green zebra Quillon eats two turnips.\n", "other")
    with stack.client() as client:
        body = client.post("/chat/zoo", json={"message": QUESTION}).json()
    assert {source["collection"] for source in body["sources"]} == {"zoo"}


def test_each_word_comes_when_the_model_says_it(make_stack: Callable[..., Stack]) -> None:
    """Without this the answer would come in one piece, at its end."""
    words = [f"word{number} " for number in range(12)]
    with StandIn() as model:
        stack = make_stack(**_model(model)).start()
        model.script(words=words, step=True)
        with stack.feed("words") as feed:
            message_id = stack.ask_async("Say some words, please, about the documents", "words")
            seen = ""
            for word in words:
                model.release()
                while word not in seen:
                    frame = feed.until(lambda frame: frame["type"] == "chunk", 20)
                    assert frame["offset"] == len(seen)
                    seen += frame["text"]
            feed.until_ended(message_id)
        with stack.client() as client:
            assert client.get(f"/chat/words/messages/{message_id}").json()["answer"] == "".join(words)


def test_without_the_search_worker_the_run_waits_and_then_ends(make_stack: Callable[..., Stack]) -> None:
    """Without this stages would not be tasks of their own: search is away, so generate must not begin."""
    stack = make_stack()
    stack.add_document("zebra.md", TURNIPS)
    others = "spanfeed.receive,spanfeed.history,spanfeed.think,spanfeed.generate,spanfeed.save"
    stack.start(worker=False)
    stack.start_worker("others", others)
    with stack.feed("waits") as feed:
        message_id = stack.ask_async(QUESTION, "waits")
        feed.until_event("agent_thinking", "started")
        with pytest.raises(TimeoutError):
            feed.next(1.0)
        assert [(e["event_type"], e["event_status"]) for e in feed.events][-1] == ("agent_thinking", "started")
        with stack.client() as client:
            assert client.get(f"/chat/waits/messages/{message_id}").json()["status"] == "queued"
        stack.start_worker("search", "spanfeed.search")
        ended = feed.until_ended(message_id)
        assert ended["event_type"] == "saving_message"
        started = next(e for e in feed.events if e["event_type"] == "tool_search_documents")
        assert started["queue_time_ms"] >= 1_000


def test_the_socket_delivers_without_the_recorder(make_stack: Callable[..., Stack]) -> None:
    """Without this a recorder that is away would stop the feed, or lose what it did not see."""
    stack = make_stack()
    stack.add_document("zebra.md", TURNIPS)
    stack.start(recorder=False)
    with stack.feed("alone") as feed:
        message_id = stack.ask_async(QUESTION, "alone")
        feed.until_ended(message_id)
    assert stack.events("alone") == feed.events
    with stack.store.read() as connection:
        from sqlalchemy import text

        assert connection.execute(text("SELECT count(*) FROM events")).scalar_one() == 0
    stack.start_recorder()
    stack.settled()
    assert stack.events("alone") == feed.events
    with stack.store.read() as connection:
        stored = [row.id for row in connection.execute(text("SELECT id FROM events WHERE seq > 0 ORDER BY id"))]
    assert stored == [event["id"] for event in feed.events]


def test_a_client_that_comes_late_gets_the_answer_so_far(make_stack: Callable[..., Stack]) -> None:
    """Without this a page that is opened in mid-answer would miss the words that were said before."""
    with StandIn() as model:
        stack = make_stack(**_model(model)).start()
        model.script(words=["one ", "two ", "three ", "four"], step=True)
        with stack.feed("late") as early:
            message_id = stack.ask_async("Count for me, from the documents", "late")
            model.release(2)
            early.until(lambda frame: frame["type"] == "chunk" and "two" in frame["text"])
            with stack.feed("late", after=0) as late:
                so_far = late.until(lambda frame: frame["type"] == "answer")
                assert (so_far["text"], so_far["offset"], so_far["message_id"]) == ("one two ", 0, message_id)
                model.release(2)
                late.until_ended(message_id)
                rest = "".join(chunk["text"] for chunk in late.chunks if chunk["offset"] >= len(so_far["text"]))
                assert so_far["text"] + rest == "one two three four"
                assert [e["id"] for e in late.events] == [e["id"] for e in stack.events("late")]


def test_languages(make_stack: Callable[..., Stack]) -> None:
    """Without this a user who asks in French would read English stages."""
    stack = make_stack().start()
    with stack.feed("langue") as feed:
        message_id = stack.ask_async("Bonjour !", "langue", language="fr-CA")
        feed.until_ended(message_id)
    assert feed.events[0]["user_message"] == "📩 Traitement de votre message..."
    assert feed.events[-1]["user_message"] == "✅ Conversation enregistrée"
