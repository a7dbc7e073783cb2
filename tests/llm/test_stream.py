"""Answers streamed from an endpoint, healthy or odd."""

from __future__ import annotations

import json
import time

import pytest

from pipeline.errors import StageFailed, TransientFault
from tasks.llm.model import Usage
from tasks.llm.openai import OpenAIModel
from tests.llm.conftest import KEY
from tests.llm.samples import PASSAGES, ask, collect, never, question
from tests.stand_in import QUIRKS, StandIn

WORDS = ("Pull ", "the ", "réd ", "lever 🎉 ", "[1], ", "behind the door [3].")
FATAL = {"error_in_stream", "no_finish_reason"}


def test_the_default_answer_is_cited(model: OpenAIModel) -> None:
    """A user would get no answer, or none with its source."""
    told = ask(model)
    assert told.answer is not None
    assert told.text == told.answer.text == f"According to the documents: {PASSAGES[0].text} [1]"
    assert [source.number for source in told.answer.sources] == [1]
    assert (told.answer.confidence, told.answer.retriever_type, told.answer.refused) == (0.9, "openai-fts5", False)


def test_the_request(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user would get no answer from an endpoint that is asked in another way than OpenAI's."""
    ask(model)
    (request,) = stand_in.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body["model"] == "stand-in"
    assert request.body["stream"] is True
    assert request.body["stream_options"] == {"include_usage": True}
    assert [message["role"] for message in request.body["messages"]] == ["system", "user"]


def test_no_key_and_a_query_in_the_address(stand_in: StandIn) -> None:
    """A user of a local server, or of one that wants its version in the address, would be refused."""
    ask(OpenAIModel(f"{stand_in.base_url}/?api-version=1", "", "stand-in", 10.0, 10.0))
    (request,) = stand_in.requests
    assert "authorization" not in request.headers
    assert request.path == "/v1/chat/completions?api-version=1"


def test_usage_is_counted(stand_in: StandIn, model: OpenAIModel) -> None:
    """An operator would lose the count of tokens."""
    stand_in.script(words=WORDS)
    told = ask(model)
    assert told.answer is not None
    usage = told.answer.usage
    assert usage is not None
    assert usage == Usage(1, usage.request_tokens, 6, usage.request_tokens + 6, {"reasoning_tokens": 2})
    assert usage.request_tokens > 0


@pytest.mark.parametrize("quirk", sorted(QUIRKS - FATAL))
def test_a_quirk_changes_nothing(stand_in: StandIn, model: OpenAIModel, quirk: str) -> None:
    """A user of one of the many nearly compatible endpoints would lose words or the answer."""
    stand_in.script(words=WORDS, quirks=[quirk])
    told = ask(model)
    assert told.error is None
    assert told.answer is not None
    assert told.text == told.answer.text == "".join(WORDS)
    assert [source.number for source in told.answer.sources] == [1, 3]
    assert (told.answer.usage is None) == (quirk in {"no_usage", "null_usage"})


def test_all_quirks_at_once(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user of the oddest endpoint would lose words or the answer."""
    stand_in.script(words=WORDS, quirks=QUIRKS - FATAL - {"whole"})
    assert ask(model).text == "".join(WORDS)


def test_an_end_without_reason_but_done(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user of an endpoint that gives no finish reason would never get an answer."""
    stand_in.script(words=WORDS, quirks=["no_finish_reason"])
    assert ask(model).answer is not None


def test_an_answer_cut_by_its_length_is_an_answer(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user would lose a long answer that lacks only its last words."""
    stand_in.script(words=WORDS, finish_reason="length")
    assert ask(model).answer is not None


def test_the_model_without_stream_options_is_asked_again_without(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user of an older endpoint would be refused, or every question would be sent twice."""
    stand_in.script(words=WORDS, quirks=["no_stream_options"])
    assert ask(model).answer is not None
    assert ask(model).answer is not None
    assert ["stream_options" in request.body for request in stand_in.requests] == [True, False, False]


def test_a_connection_left_open_after_the_answer(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user would see a whole answer, then wait for the stall timeout and lose it."""
    stand_in.script(words=WORDS, linger=True)
    assert ask(model).answer is not None
    stand_in.wait_until_idle()
    stand_in.script(words=WORDS, linger=True, quirks=["no_done"])
    begun = time.monotonic()
    assert ask(model).answer is not None
    # The stall timeout of this client is 10 s.
    assert time.monotonic() - begun < 8.0
    stand_in.wait_until_idle()


def test_word_by_word(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user would not see a word before the next one is written."""
    stand_in.script(words=WORDS, step=True)
    stream = model.stream(question(), never)
    for word in WORDS:
        stand_in.release()
        assert next(piece for piece in stream if piece) == word
    pieces: list[str] = []
    assert collect(stream, pieces).text == "".join(WORDS)
    assert "".join(pieces) == ""


def test_half_characters_in_two_chunks(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user would see boxes for an emoji whose halves come in two chunks."""
    halves = ['{"choices":[{"delta":{"content":"a\\ud83c"}}]}', '{"choices":[{"delta":{"content":"\\udf89"}}]}']
    stand_in.script(raw=[f"data: {data}\n\n" for data in (*halves, "[DONE]")])
    assert ask(model).text == "a🎉"


@pytest.mark.parametrize(
    ("script", "kind", "sentence"),
    [
        ({"words": WORDS, "quirks": ["no_finish_reason", "no_done"]}, TransientFault, "broke off"),
        ({"words": WORDS, "quirks": ["error_in_stream"]}, TransientFault, "reported an error"),
        ({"words": WORDS, "cut_after": 3}, TransientFault, "broke off"),
        ({"words": WORDS, "cut_after": 0}, TransientFault, "broke off"),
        ({"words": []}, TransientFault, "empty answer"),
        ({"words": [" "]}, TransientFault, "empty answer"),
        ({"raw": []}, TransientFault, "broke off"),
        ({"raw": ["data: oops\n\n"]}, TransientFault, "not JSON"),
        ({"words": WORDS, "finish_reason": "error"}, TransientFault, "reported an error"),
        ({"words": WORDS, "finish_reason": "content_filter"}, StageFailed, "withheld"),
        ({"words": [], "finish_reason": "length"}, StageFailed, "used up its length"),
        ({"raw": ["<html>"], "content_type": "text/html"}, StageFailed, "web page"),
        ({"raw": ['{"error": {"code": 401}}'], "content_type": "application/json"}, StageFailed, "refused the key"),
        ({"raw": ["["], "content_type": "application/json"}, TransientFault, "not JSON"),
    ],
)
def test_what_is_no_whole_answer(
    stand_in: StandIn, model: OpenAIModel, script: dict[str, object], kind: type[Exception], sentence: str
) -> None:
    """A user would take half an answer, or none, for the whole one."""
    stand_in.script(**script)
    told = ask(model)
    assert type(told.error) is kind
    assert sentence in str(told.error)


def test_the_words_before_a_cut_are_given(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user would lose the partial answer that is kept when all attempts break off."""
    stand_in.script(words=WORDS, cut_after=3)
    assert ask(model).text == "".join(WORDS[:3])


def test_an_error_after_the_end_is_late(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user would lose a finished answer because the endpoint stumbled on its way out."""
    end = {"choices": [{"delta": {"content": "done"}, "finish_reason": "stop"}]}
    stand_in.script(raw=[f"data: {json.dumps(end)}\n\n", 'data: {"error": "late"}\n\n'])
    told = ask(model)
    assert told.answer is not None
    assert told.answer.text == "done"


def test_a_cut_after_the_end_is_late(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user would lose a finished answer because the endpoint closed its connection in a hurry."""
    end = {"choices": [{"delta": {"content": "done"}, "finish_reason": "stop"}]}
    stand_in.script(raw=[f"data: {json.dumps(end)}\n\n", ""], cut_after=1)
    told = ask(model)
    assert told.answer is not None
    assert told.answer.text == "done"


def test_a_last_event_without_a_blank_line(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user would lose the answer of an endpoint that forgets the last line break."""
    stand_in.script(raw=['data: {"choices": [{"delta": {"content": "done"}}]}\n\n', "data: [DONE]"])
    assert ask(model).answer is not None


def test_a_passage_that_was_not_given_is_no_source(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user would be shown a source for what the model made up."""
    stand_in.script(words=["It is so [1]."])
    told = ask(model, question(confidence=0.1))
    assert told.answer is not None
    assert told.answer.sources == ()
    assert told.answer.confidence == 0.1


def test_an_endless_answer_is_ended(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user would fill the worker's memory with a model that repeats itself for ever."""
    stand_in.script(words=["x" * 50_000] * 10, stall_after=6)
    told = ask(model)
    assert told.answer is not None
    assert told.text == told.answer.text == "x" * 200_000
    stand_in.wait_until_idle()
