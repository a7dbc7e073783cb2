"""The reading of completion chunks as real endpoints write them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.errors import StageFailed, TransientFault
from tasks.llm.chunks import Chunk, read, read_usage
from tasks.llm.model import Usage


def one(message: Any) -> Chunk:
    """The single chunk of a message."""
    (chunk,) = read(json.dumps(message))
    return chunk


def delta(**fields: Any) -> dict[str, Any]:
    """A message with one choice."""
    return {"choices": [{"index": 0, "delta": fields}]}


def test_a_piece_of_text() -> None:
    """A user would see no answer."""
    assert one(delta(content="word ")) == Chunk(text="word ", alive=True)


@pytest.mark.parametrize(
    "message",
    [
        {},
        None,
        [],
        7,
        {"choices": []},
        {"choices": None},
        {"choices": [None]},
        {"choices": [{}]},
        {"choices": [{"delta": None, "finish_reason": None}]},
        {"choices": [{"delta": "odd"}]},
        {"choices": {"0": {}}},
        {"error": None, "choices": [], "usage": None},
        delta(content=None, role=None, tool_calls=None),
        delta(content=""),
    ],
)
def test_a_message_that_says_nothing(message: Any) -> None:
    """A user would lose the answer to a null field, and wait for ever on an endpoint that only sends such."""
    assert one(message) == Chunk()


@pytest.mark.parametrize(
    "fields", [{"role": "assistant"}, {"reasoning_content": "hm"}, {"content": None, "reasoning": "hm"}]
)
def test_work_without_text_is_a_sign_of_life(fields: dict[str, Any]) -> None:
    """A user would lose the answer of a model that thinks for longer than the stall timeout."""
    assert one(delta(**fields)) == Chunk(alive=True)


def test_text_in_parts() -> None:
    """A user would see nothing from endpoints that send content as a list."""
    parts = [{"type": "text", "text": "a"}, {"type": "thinking", "text": "x"}, {"text": "b"}, None, {"type": "text"}]
    assert one(delta(content=parts)).text == "ab"


def test_a_refusal_is_text() -> None:
    """A user would see an empty answer where the model explained that it declines."""
    assert one(delta(content=None, refusal="I must not.")).text == "I must not."


def test_the_end() -> None:
    """A user would wait for more after the last word."""
    assert read("[DONE]") == read(" [DONE] ") == [Chunk(alive=True, done=True)]
    assert one({"choices": [{"delta": {}, "finish_reason": "stop"}]}).finish_reason == "stop"


def test_events_that_were_glued_together() -> None:
    """A user would lose the text of an endpoint that forgets the blank line between two events."""
    glued = json.dumps(delta(content="a")) + "\n" + json.dumps(delta(content="b")) + "\n[DONE]"
    assert [chunk.text for chunk in read(glued)] == ["a", "b", ""]
    assert read(glued)[-1].done


def test_one_message_over_several_lines() -> None:
    """A user would lose the text of an endpoint that prints its JSON over several lines."""
    assert read(json.dumps(delta(content="a"), indent=1))[0].text == "a"


def test_what_is_not_json() -> None:
    """A user would see a stack trace, or nothing, instead of a new attempt."""
    (chunk,) = read("oops")
    assert isinstance(chunk.fault, TransientFault)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("overloaded", TransientFault),
        ({"message": "x", "type": "server_error"}, TransientFault),
        ({"message": "x", "code": 429}, TransientFault),
        ({"message": "x", "code": "503"}, TransientFault),
        ({"message": "x", "code": None}, TransientFault),
        ({"message": "x", "code": 400}, StageFailed),
        ({"message": "x", "code": "invalid_api_key"}, StageFailed),
        ({"message": "x", "type": "invalid_request_error"}, StageFailed),
    ],
)
def test_an_error_told_inside_the_stream(error: object, kind: type[Exception]) -> None:
    """A user would read half an answer as a whole one, or wait for attempts that cannot succeed."""
    fault = one({"error": error}).fault
    assert isinstance(fault, kind)
    assert not str(fault).startswith("x")


def test_usage() -> None:
    """An operator would lose the count of tokens."""
    told = {
        "prompt_tokens": 7,
        "completion_tokens": 5,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 3, "audio_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 1, "odd": None, "flag": True},
    }
    assert read_usage(told) == Usage(1, 7, 5, 12, {"cached_tokens": 3, "audio_tokens": 2, "reasoning_tokens": 2})


@pytest.mark.parametrize(
    ("told", "read_as"),
    [
        (None, None),
        ("many", None),
        ({}, None),
        ({"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}, None),
        ({"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": None}, Usage(1, 7, 5, 12)),
        ({"prompt_tokens": "7", "completion_tokens": 5, "prompt_tokens_details": None}, Usage(1, 0, 5, 5)),
    ],
)
def test_usage_with_gaps(told: object, read_as: Usage | None) -> None:
    """A user would lose a finished answer because the endpoint did not count it properly."""
    assert read_usage(told) == read_as
