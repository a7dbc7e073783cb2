"""Calls of tools as real endpoints write them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks.llm.tool_calls import AskedFor, CallGathering, read_deltas

SEARCH = AskedFor("search", {"q": "a"})
OTHER = AskedFor("search", {"q": "b"})


def piece(**fields: Any) -> dict[str, Any]:
    """One piece; `name` and `arguments` belong to its function."""
    function = {name: fields.pop(name) for name in ("name", "arguments") if name in fields}
    return {**fields, "function": function}


def gathered(*pieces: dict[str, Any]) -> list[AskedFor]:
    """The calls of pieces that come one by one."""
    calls = CallGathering()
    for one in pieces:
        calls.take(read_deltas([one]))
    return calls.asked_for()


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(
            [
                piece(id="x", index=0, name="search", arguments=""),
                piece(id="y", index=1, name="search", arguments=""),
                piece(index=0, arguments='{"q":'),
                piece(index=1, arguments='{"q": "b"}'),
                piece(index=0, arguments=' "a"}'),
            ],
            id="interleaved by index",
        ),
        pytest.param(
            [
                piece(id="x", index=0, name="search", arguments=None),
                piece(id="x", index=0, name=None, arguments='{"q": "a"}'),
                piece(id="y", index=0, name="search", arguments='{"q":'),
                piece(id="", index=0, arguments=' "b"}'),
            ],
            id="index 0 repeated",
        ),
        pytest.param(
            [
                piece(id="x", name="search", arguments='{"q": "a"}'),
                piece(id="y", name="search", arguments='{"q"'),
                piece(id=None, arguments=': "b"}'),
            ],
            id="no index",
        ),
        pytest.param(
            [
                piece(index=0, name="search", arguments='{"q": "a"}'),
                piece(index=0, name="search", arguments={"q": "b"}),
            ],
            id="neither id nor index",
        ),
        pytest.param(
            [
                piece(id="x", index=0, name="search", arguments='{"q":'),
                piece(id="x", index=0, name="search", arguments=' "a"}'),
                piece(id="y", index=1, name="search", arguments='{"q": "b", "more": null}'),
            ],
            id="id and name repeated",
        ),
    ],
)
def test_two_calls(pieces: list[dict[str, Any]]) -> None:
    """Without this a user's second search would be lost, or mixed with the first, with one of many endpoints."""
    assert gathered(*pieces) == [SEARCH, OTHER]


@pytest.mark.parametrize(
    ("arguments", "read"),
    [
        (None, {}),
        ("", {}),
        ("null", {}),
        ("{}", {}),
        ('{"a": null}', {}),
        ("{", None),
        ("[]", None),
        (7, {}),
        ('{"a\\ud83c": "\\u0000b"}', {"a\ufffd": "b"}),
    ],
)
def test_arguments(arguments: object, read: object) -> None:
    """Without this a call without arguments would be lost, and half of one be made."""
    assert gathered(piece(id="x", name="now", arguments=arguments)) == [AskedFor("now", read)]  # type: ignore[arg-type]


@pytest.mark.parametrize("told", [None, "odd", {}, [None], [{}], [{"function": None}], [{"id": 7, "index": True}]])
def test_what_is_no_call(told: object) -> None:
    """Without this an odd field would end the message."""
    calls = CallGathering()
    calls.take(read_deltas(told))
    assert calls.asked_for() == []


def test_there_is_an_end_to_calls() -> None:
    """Without this a model that repeats itself would fill the worker's memory."""
    calls = CallGathering()
    for number in range(100):
        calls.take(read_deltas([piece(id=str(number), name="search", arguments=json.dumps({"q": "x" * 30_000}))]))
    assert len(calls.asked_for()) == 32
    assert {one.arguments is None for one in calls.asked_for()} == {True}
