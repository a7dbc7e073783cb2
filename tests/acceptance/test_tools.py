"""Tools beside the search: the documentation's, counting, those that break, hang or are killed, a model's choice."""

from __future__ import annotations

import signal
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.docs import pages
from tests.parts.redis_part import RedisPart
from tests.parts.stack import Stack
from tests.stand_in import StandIn

TROUBLE = '''"""Tools that go wrong."""

import threading

from tasks.tool import Gave, tool


def asked(message, collections):
    return [{}] if message == "Ask everything, also when the cashier is open" else []


@tool("Breaks.", asked=asked)
def breaking(run):
    raise ValueError("as it must")


@tool("Hangs.", asked=asked)
def hanging(run):
    threading.Event().wait(60)


@tool("Is killed the first time.", asked=asked)
def killed(run):
    return Gave(statement="Alive again.")
'''


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A Spanfeed with the documentation's tool, and three that go wrong."""
    folder = tmp_path_factory.mktemp("tools")
    (example,) = (text for kind, text in pages.code(pages.page("how-to/add-a-tool.md")) if kind == "python runnable")
    (folder / "opening_hours.py").write_text(example, encoding="utf-8")
    (folder / "trouble.py").write_text(TROUBLE, encoding="utf-8")
    redis = RedisPart(folder / "redis")
    stack = Stack(
        folder / "home",
        redis,
        PYTHONPATH=str(folder),
        SPANFEED_TOOLS="opening_hours, trouble",
        SPANFEED_SEARCH_TIMEOUT_SECONDS="5",
        SPANFEED_FAILPOINTS=f"tool_killed=kill@{folder / 'killed'}",
    )
    stack.add_document("zebra.md", "# Zebras\n\nThe blue zebra Quillon eats seven turnips a day.\n")
    yield stack.start(recorder=False)
    stack.close()
    redis.stop(kill=True)


def _asked(stack: Stack, message: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    session_id = str(uuid.uuid4())
    reply = stack.ask(message, session_id)
    assert reply.status_code == 200, reply.text
    return reply.json(), stack.events(session_id)


def _of_tools(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["event_type"].startswith("tool_")]


def test_the_tool_of_the_documentation(stack: Stack) -> None:
    """Without this a developer who follows the page would get no tool, or one without events and sentences."""
    answer, events = _asked(stack, "When is the cashier open?")
    assert answer["answer"] == "The cashier is open from 9:00 to 12:00. [1]"
    assert (answer["confidence"], answer["refused"]) == (1.0, False)
    thinking = next(event for event in events if event["event_type"] == "agent_thinking")
    told = _of_tools(events)
    assert {event["parent_span_id"] for event in told} == {thinking["span_id"]}
    assert [(event["event_type"], event["event_status"], event["user_message"]) for event in told] == [
        ("tool_opening_hours", "started", "🕘 Looking up the hours of the cashier..."),
        ("tool_opening_hours", "progress", "🕘 Reading the hours..."),
        ("tool_opening_hours", "completed", "✅ Hours found"),
    ]
    assert told[-1]["event_data"] == {"office": "cashier", "hours": "9:00 to 12:00"}


def test_how_many_documents(stack: Stack) -> None:
    """Without this a user who asks how many documents there are would be quoted a sentence with these words."""
    answer, events = _asked(stack, "How many documents do you have?")
    assert answer["answer"] == "The collection docs holds 1 document with 1 passage. [1]"
    assert answer["sources"][0]["snippet"] == "The collection docs holds 1 document with 1 passage."
    told = _of_tools(events)
    assert [event["event_status"] for event in told] == ["started", "completed"]
    assert told[-1]["event_data"] == {"collection": "docs", "documents": 1, "passages": 1}


def test_every_tool_ends_once_whatever_happens_to_it(stack: Stack) -> None:
    """Without this a tool that breaks, hangs or dies would stay open in the feed, or take the answer with it."""
    answer, events = _asked(stack, "Ask everything, also when the cashier is open")
    assert sorted(answer["answer"].split("\n")) == [
        "Alive again. [2]",
        "The cashier is open from 9:00 to 12:00. [1]",
    ]
    told = _of_tools(events)
    assert set(Counter(event["event_type"] for event in told if event["event_status"] == "started").values()) == {1}
    endings = {
        event["event_type"]: (event["event_status"], (event["event_data"] or {}).get("error"))
        for event in told
        if event["event_status"] in {"completed", "failed"}
    }
    assert sum(event["event_status"] in {"completed", "failed"} for event in told) == 4
    assert endings == {
        "tool_opening_hours": ("completed", None),
        "tool_breaking": ("failed", "error"),
        "tool_hanging": ("failed", "timeout"),
        "tool_killed": ("completed", None),
    }


@pytest.fixture(scope="module")
def second() -> Iterator[StandIn]:
    """The endpoint behind the first one."""
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def model(stack: Stack, second: StandIn) -> Iterator[StandIn]:
    """A model that chooses the tools from now on, and writes the answers."""
    with StandIn() as stand_in:
        # With its threads that hang, it would not go when it is asked to.
        stack.stop("worker", signal.SIGKILL)
        about = stack.home / "collections.toml"
        about.write_text('docs = "Zebras."\nhr = "Leave and pay."\n', encoding="utf-8")
        stack.add_document("leave.md", "# Leave\n\nLeave is for zebra keepers, too.\n", "hr")
        stack.start_worker(
            "planning",
            OPENAI_BASE_URL=stand_in.base_url,
            OPENAI_MODEL=stand_in.model,
            SPANFEED_LLM_SECOND_BASE_URL=second.base_url,
            SPANFEED_LLM_SECOND_MODEL="behind",
            SPANFEED_LLM_REST_SECONDS="0",
            SPANFEED_PLANNER="model",
            SPANFEED_COLLECTIONS_PATH=str(about),
            SPANFEED_LLM_INPUT_PRICE_PER_MILLION="1000000",
        )
        yield stand_in


def test_a_model_chooses(stack: Stack, model: StandIn) -> None:
    """Without this every collection would be searched for every question, and nobody see what the choice cost."""
    query = "How many turnips does the zebra Quillon eat?"
    model.script(calls=[{"name": "search_documents", "arguments": {"collection": "docs", "query": query}}])
    answer, events = _asked(stack, "How many turnips does it eat?")
    assert "Quillon eats seven turnips" in answer["answer"]
    planning, writing = model.requests
    assert "- hr: Leave and pay." in planning.body["messages"][0]["content"]
    assert "tools" not in writing.body
    assert [event["event_data"]["collection"] for event in _of_tools(events)] == ["docs"] * 3
    ended = next(e for e in events if (e["event_type"], e["event_status"]) == ("agent_thinking", "completed"))
    assert ended["event_data"] == {"mode": "search", "searches": 1, "planner": "model"}
    counted = ended["metadata"]["attributes"]
    assert counted["gen_ai.request.model"] == "stand-in"
    assert counted["gen_ai.usage.cost"] == counted["gen_ai.usage.input_tokens"] > 0
    usage = answer["usage"]
    assert usage["requests"] == 2
    assert usage["cost"] == usage["request_tokens"] > counted["gen_ai.usage.input_tokens"]


def test_the_rules_choose_where_the_model_does_not(stack: Stack, model: StandIn) -> None:
    """Without this a question would not be searched for when a model has a bad day, and nobody see why."""
    model.script(words=["I ", "know ", "already."])
    _, events = _asked(stack, "How many turnips does Quillon eat?")
    thinking = [event for event in events if event["event_type"] == "agent_thinking"]
    assert [(event["event_status"], event["user_message"]) for event in thinking] == [
        ("started", "🤔 AI is analyzing your question..."),
        ("progress", "🧭 Choosing by rules what to search..."),
        ("completed", "✅ Analysis complete"),
    ]
    assert thinking[1]["event_data"] == {"planner": "rules", "reason": "no_call"}
    assert {event["event_data"]["collection"] for event in _of_tools(events)} == {"docs", "hr"}


def test_another_model_is_asked_before_the_eyes_of_the_user(stack: Stack, model: StandIn, second: StandIn) -> None:
    """Without this a user would lose the answer to one endpoint, or wait without knowing why."""
    model.script(fail_first=9, fail_status=503)
    second.script(words=["The ", "zebra ", "Quillon ", "eats ", "seven ", "turnips ", "[1]", " [8]."])
    answer, events = _asked(stack, "What does the zebra Quillon eat?")
    assert answer["answer"] == "The zebra Quillon eats seven turnips [1]."
    assert answer["confidence"] > 0.7
    assert (answer["checks"]["supported"], answer["checks"]["citations_removed"]) == (1, 1)
    told = [event for event in events if (event["event_data"] or {}).get("fallback")]
    assert [event["event_type"] for event in told] == ["agent_thinking", "response_generation"]
    assert {event["user_message"] for event in told} == {"🔁 Asking another model..."}
    for event in told:
        wanted = {"fallback": True, "from": "stand-in", "to": "behind", "error": "TransientFault"}
        assert event["event_data"] == wanted
    ended = events[-3]
    assert (ended["event_type"], ended["event_status"]) == ("response_generation", "completed")
    assert ended["metadata"]["attributes"]["gen_ai.request.model"] == "behind"
    assert ended["event_data"]["checks"] == answer["checks"]
