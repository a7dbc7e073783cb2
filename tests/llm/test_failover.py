"""A second endpoint that is asked when the first one fails, and what tokens cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline import catalog
from pipeline import settings as settings_table
from pipeline.errors import SettingError, StageFailed, TransientFault
from tasks.endpoints import endpoints
from tasks.llm.attributes import model_attributes
from tasks.llm.endpoint import Prices
from tasks.llm.failover import FailoverModel
from tasks.llm.model import Question, Usage
from tasks.llm.openai import OpenAIModel
from tests.llm.samples import Told, collect, never, question
from tests.stand_in import StandIn

FIRST, SECOND = ("From ", "the ", "first [1]."), ("From ", "the ", "second [1].")


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[StandIn, StandIn]]:
    """Two endpoints."""
    with StandIn() as first, StandIn() as second:
        yield first, second


def _author(pair: tuple[StandIn, StandIn], first_token_seconds: float, second_seconds: float = 10.0) -> FailoverModel:
    for stand_in, words in zip(pair, (FIRST, SECOND), strict=True):
        stand_in.forget()
        stand_in.script(words=words)
    first = OpenAIModel(pair[0].base_url, "", "a", 10.0, 10.0, first_token_seconds)
    return FailoverModel([first, OpenAIModel(pair[1].base_url, "", "b", 10.0, 10.0, second_seconds)], 60.0)


@pytest.fixture
def both(pair: tuple[StandIn, StandIn]) -> FailoverModel:
    """The two as one author; each behaves well, and says who it is."""
    return _author(pair, 10.0)


@pytest.fixture
def hasty(pair: tuple[StandIn, StandIn]) -> FailoverModel:
    """The same, soon tired of waiting for the first one: only where that shall be silent or fail."""
    return _author(pair, 0.3)


def ask(model: FailoverModel, asked: Question | None = None) -> Told:
    """Takes a stream to its end."""
    told = Told()
    try:
        told.answer = collect(model.stream(asked or question(), never), told.pieces)
    except Exception as error:
        told.error = error
    return told


@pytest.mark.parametrize(
    "script",
    [
        {"fail_first": 9, "fail_status": 503},
        {"fail_first": 9, "fail_status": 401},
        {"words": FIRST, "cut_after": 0},
        {"words": []},
        {"silent": True},
        {"words": FIRST, "stall_after": 0},
    ],
    ids=["overloaded", "key refused", "cut", "empty", "silent", "only a role"],
)
def test_the_other_one_answers(pair: tuple[StandIn, StandIn], hasty: FailoverModel, script: dict[str, Any]) -> None:
    """Without this a user would lose the answer to an endpoint that is down, though another one is there."""
    pair[0].script(**script)
    began = time.monotonic()
    told = ask(hasty)
    # Without the timeout of the first token it takes the stall timeout, 10 s.
    assert time.monotonic() - began < 8.0
    assert told.text == "".join(SECOND)
    assert told.answer is not None
    assert (told.answer.provider, told.answer.model) == ("openai", "b")
    asked_before = len(pair[0].requests)
    assert ask(hasty).text == "".join(SECOND)
    assert len(pair[0].requests) == asked_before, "an endpoint that failed rests"


def test_the_first_one_is_preferred(pair: tuple[StandIn, StandIn], both: FailoverModel) -> None:
    """Without this the second endpoint would be paid though the first is well."""
    told = ask(both)
    assert told.answer is not None
    assert (told.text, told.answer.model) == ("".join(FIRST), "a")
    assert pair[1].requests == []


def test_a_slow_second_is_waited_for(pair: tuple[StandIn, StandIn]) -> None:
    """Without this an answer would be lost where both are slow to begin, but well."""
    hasty = _author(pair, 0.3, 0.3)
    pair[0].script(silent=True)
    pair[1].script(words=SECOND, step=True)
    stream = hasty.stream(question(), never)
    while not pair[1].requests:
        assert next(stream) == ""
    for _ in range(10):
        assert next(stream) == ""
    pair[1].release(len(SECOND))
    assert collect(stream, []).model == "b"


def test_what_was_said_is_not_mixed(pair: tuple[StandIn, StandIn], both: FailoverModel) -> None:
    """Without this a user would read the beginning of one answer and the whole of another."""
    pair[0].script(words=FIRST, cut_after=2)
    told = ask(both)
    assert isinstance(told.error, TransientFault)
    assert told.text == "".join(FIRST[:2])
    assert pair[1].requests == []
    assert ask(both, question(attempt=2)).text == "".join(SECOND)


def test_both_fail(pair: tuple[StandIn, StandIn], both: FailoverModel) -> None:
    """Without this a refused key would end a message that a further try could save, or the reverse."""
    pair[0].script(fail_first=9, fail_status=503)
    pair[1].script(fail_first=9, fail_status=401)
    assert isinstance(ask(both).error, TransientFault)
    pair[0].script(fail_first=9, fail_status=404)
    assert isinstance(ask(both).error, StageFailed)


def test_a_further_try_begins_with_the_next_one(both: FailoverModel) -> None:
    """Without this each try would go to the endpoint that always breaks off in mid-answer."""
    assert [[model.name for model in both.order(attempt)] for attempt in (1, 2, 3)] == [
        ["a", "b"],
        ["b", "a"],
        ["a", "b"],
    ]


def test_the_settings_name_both() -> None:
    """Without this an operator's second endpoint would not be asked, or asked with the first one's key."""
    assert endpoints(settings_table.load({})) is None
    environment = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "OPENAI_MODEL": "a"}
    only = endpoints(settings_table.load(environment))
    assert only is not None
    assert len(only.models) == 1
    environment |= {"SPANFEED_LLM_SECOND_BASE_URL": "https://api.groq.com/v1", "SPANFEED_LLM_SECOND_API_KEY": "k2"}
    with pytest.raises(SettingError, match="SPANFEED_LLM_SECOND_MODEL must name a model"):
        endpoints(settings_table.load(environment))
    made = endpoints(settings_table.load({**environment, "SPANFEED_LLM_SECOND_MODEL": "b"}))
    assert made is not None
    assert [(model.provider, model.name) for model in made.models] == [("openai", "a"), ("groq", "b")]
    assert made.models[1].endpoint.call({}).headers["Authorization"] == "Bearer k2"


def test_what_tokens_cost() -> None:
    """Without this an operator would not learn what answers cost, or be told a price that nobody set."""
    usage = Usage(1, 1_000, 200, 1_200)
    assert Prices().of(usage) == usage
    priced = Prices(3.0, 15.0).of(usage)
    assert priced.cost == 0.006
    assert "cost" not in usage.to_dict()
    assert priced.to_dict()["cost"] == 0.006
    both = priced + Prices(0.0, 1.0).of(Usage(1, 10, 20, 30, {"cached_tokens": 1}))
    assert both == Usage(2, 1_010, 220, 1_230, {"cached_tokens": 1}, 0.00602)
    assert (priced + usage).cost is None
    assert model_attributes("groq", "b", priced) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "groq",
        "gen_ai.request.model": "b",
        "gen_ai.usage.input_tokens": 1_000,
        "gen_ai.usage.output_tokens": 200,
        "gen_ai.usage.cost": 0.006,
    }


@pytest.mark.parametrize("name", ["another_model", "plan_by_rules"])
def test_notes_are_said_in_every_language(name: str) -> None:
    """Without this a user who asked in French would be told in English that another model is asked."""
    assert len({catalog.note(name, language) for language in catalog.LANGUAGES}) == 3
