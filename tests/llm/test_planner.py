"""A model that chooses the tools, and the many ways in which it does not."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline import settings as settings_table
from pipeline.errors import FenceLost
from tasks import toolbox
from tasks.llm.failover import FailoverModel
from tasks.llm.model import Turn
from tasks.llm.openai import OpenAIModel
from tasks.llm.planner import Asking, Chosen, Planner
from tasks.rag.plan import Call
from tests.llm.samples import never
from tests.stand_in import StandIn

CALLS: list[dict[str, Any]] = [
    {"name": "search_documents", "arguments": {"collection": "hr", "query": "How long is\nthe leave?"}},
    {"name": "search_documents", "arguments": {"collection": "docs", "query": "leave"}},
    {"name": "collection_stats", "arguments": {}},
]
THOUGHT = 'data: {"choices": [{"delta": {"reasoning": "hm"}}]}\n\n'
CHOSEN = (Call("hr", "How long is the leave?"), Call("docs", "leave"), Call("", "", "collection_stats"))


@pytest.fixture(scope="module")
def stand_in() -> Iterator[StandIn]:
    """One endpoint for all these tests."""
    with StandIn() as server:
        yield server


@pytest.fixture
def planner(stand_in: StandIn) -> Planner:
    """A planner with much time."""
    stand_in.forget()
    stand_in.script(calls=CALLS)
    return _planner(stand_in, 10.0)


def _planner(stand_in: StandIn, seconds: float, *others: StandIn) -> Planner:
    models = [OpenAIModel(one.base_url, "", "stand-in", 10.0, 10.0) for one in (stand_in, *others)]
    return Planner(FailoverModel(models, 60.0), seconds, 4, 1_000)


def asking(**changed: Any) -> Asking:
    """A follow-up over two collections, with Spanfeed's own tools."""
    tools = [toolbox.find(settings_table.load({}), name) for name in ("search_documents", "collection_stats")]
    turns = (Turn("user", "What is leave?"), Turn("assistant", "Time off [1]."))
    made = Asking("How long is it?", turns, "en", {"docs": "The program.", "hr": "Leave and pay."}, tools)
    return dataclasses.replace(made, **changed)


def test_the_request(stand_in: StandIn, planner: Planner) -> None:
    """Without this a model would choose without knowing the collections, the tools or the conversation."""
    planner.choose(asking(), never)
    (request,) = stand_in.requests
    body = request.body
    assert (body["temperature"], body["tool_choice"], body["stream"]) == (0, "auto", True)
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "user"]
    assert "- hr: Leave and pay." in body["messages"][0]["content"]
    assert body["messages"][2]["content"] == "Time off."
    search, stats = (tool["function"] for tool in body["tools"])
    assert search["parameters"]["properties"]["collection"]["enum"] == ["docs", "hr"]
    assert search["parameters"]["required"] == ["collection", "query"]
    assert (stats["name"], stats["parameters"]["required"]) == ("collection_stats", [])


@pytest.mark.parametrize(
    "quirks",
    [
        [],
        ["null_arguments"],
        ["call_index_zero"],
        ["no_call_index"],
        ["call_object"],
        ["call_whole", "no_call_id", "call_index_zero"],
        ["call_whole", "no_call_id", "no_call_index"],
        ["null_arguments", "call_index_zero", "no_usage", "split", "no_done", "comments"],
        ["no_stream_options"],
    ],
    ids="+".join,
)
def test_calls_as_endpoints_write_them(stand_in: StandIn, planner: Planner, quirks: list[str]) -> None:
    """Without this a user of one of the many nearly compatible endpoints would never get the model's choice."""
    stand_in.script(calls=CALLS, quirks=quirks)
    chosen = planner.choose(asking(), never)
    assert (chosen.calls, chosen.why_not) == (CHOSEN, "")
    assert (chosen.provider, chosen.model, chosen.usage is None) == ("openai", "stand-in", "no_usage" in quirks)


@pytest.mark.parametrize(
    ("script", "why_not"),
    [
        ({"words": ["I know ", "it all."]}, "no_call"),
        ({"calls": [{"name": "rm", "arguments": {"collection": "hr"}}]}, "bad_call"),
        ({"calls": [{"name": "search_documents", "arguments": {"collection": "x", "query": "y"}}]}, "bad_call"),
        ({"calls": [{"name": "search_documents", "arguments": {"collection": "hr"}}]}, "bad_call"),
        ({"calls": [{"name": "search_documents", "arguments": {"collection": "hr", "query": 7}}]}, "bad_call"),
        ({"calls": [{"name": "search_documents", "arguments": {"collection": "hr", "query": " "}}]}, "bad_call"),
        ({"fail_first": 9, "fail_status": 503}, "unavailable"),
        ({"fail_first": 9, "fail_status": 400}, "refused"),
        ({"calls": CALLS, "quirks": ["error_in_stream"]}, "unavailable"),
        ({"calls": CALLS, "quirks": ["no_done", "no_finish_reason"]}, "unavailable"),
    ],
)
def test_why_the_rules_must_choose(stand_in: StandIn, planner: Planner, script: dict[str, Any], why_not: str) -> None:
    """Without this a model's whim would leave a question without a search."""
    stand_in.script(**script)
    chosen = planner.choose(asking(), never)
    assert (chosen.calls, chosen.why_not) == ((), why_not)


@pytest.mark.parametrize("script", [{"silent": True}, {"raw": [THOUGHT] * 300, "pace_seconds": 0.1}])
def test_time_is_limited(stand_in: StandIn, script: dict[str, Any]) -> None:
    """Without this a user would wait for a model that thinks, or only says that it lives, and not for the documents."""
    stand_in.script(**script)
    began = time.monotonic()
    assert _planner(stand_in, 0.4).choose(asking(), never) == Chosen(why_not="timeout")
    # What the endpoint would say takes 30 s.
    assert time.monotonic() - began < 10.0
    stand_in.wait_until_idle()


def test_what_is_chosen_is_bounded(stand_in: StandIn, planner: Planner) -> None:
    """Without this one message could ask a tool a hundred times, or the same twice."""
    many = [{"name": "search_documents", "arguments": {"collection": "hr", "query": f"q{n // 2}"}} for n in range(20)]
    stand_in.script(calls=many)
    assert [call.query for call in planner.choose(asking(), never).calls] == ["q0", "q1", "q2", "q3"]


def test_a_single_collection_need_not_be_named(stand_in: StandIn, planner: Planner) -> None:
    """Without this a message for one collection would be counted in all, or not be searched for."""
    stand_in.script(calls=[{"name": "search_documents", "arguments": {"query": "q"}}, CALLS[2]])
    calls = planner.choose(asking(collections={"hr": ""}), never).calls
    assert calls == (Call("hr", "q"), Call("hr", "", "collection_stats"))


def test_an_endpoint_that_refuses_a_temperature(stand_in: StandIn, planner: Planner) -> None:
    """Without this a model that reasons would never choose, since it takes no temperature."""
    refusal = '{"error": {"message": "Unsupported value: temperature"}}'
    stand_in.script(calls=CALLS, fail_first=1, fail_status=400, fail_body=refusal)
    assert planner.choose(asking(), never).calls == CHOSEN
    assert planner.choose(asking(), never).calls == CHOSEN
    assert ["temperature" in request.body for request in stand_in.requests] == [True, False, False]


def test_another_endpoint_chooses(stand_in: StandIn) -> None:
    """Without this the rules would choose though a second model is there."""
    with StandIn() as second:
        second.script(calls=CALLS)
        stand_in.script(fail_first=9)
        assert _planner(stand_in, 10.0, second).choose(asking(), never).calls == CHOSEN


def test_a_stage_that_was_lost(planner: Planner) -> None:
    """Without this a cancelled message would still be planned, and paid."""
    with pytest.raises(FenceLost):
        planner.choose(asking(), lambda: True)
