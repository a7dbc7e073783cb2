"""The browser client's types say of events, frames and replies what the schemas say of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from tests.parts.missing import missing
from tests.parts.stack import ROOT
from web.contract import frames, replies
from web.contract.shapes import Schema

_FRONTEND = ROOT / "frontend"
_NARROWER = {
    # The client takes no event without a status: only custom events have none, and no stage of theirs could be drawn.
    ("FeedEvent", "event_status"): {"null"},
    # Every event of a session's feed is a session's.
    ("FeedEvent", "session_id"): {"null"},
}
"""What a schema allows and the client keeps out."""


def _frame(kind: str) -> Schema:
    return {**frames.FROM_SERVER, **frames.WEBSOCKET_ONLY}[kind][1]


SCHEMAS: dict[str, Schema] = {
    "FeedEvent": replies.EVENT,
    "ConnectionFrame": _frame("connection"),
    "HelloFrame": _frame("hello"),
    "EventFrame": _frame("event"),
    "ChunkFrame": _frame("chunk"),
    "AnswerFrame": _frame("answer"),
    "AnswerResetFrame": _frame("answer_reset"),
    "ResetFrame": _frame("reset"),
    "BusFrame": _frame("bus"),
    "EventPage": replies.PAGE,
    "Source": replies.EXCHANGE["properties"]["sources"],
    "MessageDocument": replies.EXCHANGE,
    "HistoryMessage": replies.CONVERSATION["properties"]["messages"],
    "History": replies.CONVERSATION,
    "FollowUp": replies.EXCHANGE["properties"]["recommended_follow_up_questions"],
    "Accepted": replies.ACCEPTED,
    "Warning": replies.ACCEPTED["properties"]["warnings"],
    "Cancelled": replies.CANCELLED,
}
"""Which schema an interface of `frontend/client/types.ts` stands for."""


@pytest.fixture(scope="module")
def interfaces() -> Any:
    """Each interface of the client, by its fields."""
    node = shutil.which("node")
    if node is None or not (_FRONTEND / "node_modules" / "typescript").is_dir():
        missing("Node.js with the page's packages")
    done = subprocess.run([node, "types.mjs"], cwd=_FRONTEND, check=True, capture_output=True, timeout=60)
    return json.loads(done.stdout)


def _object(schema: Schema) -> Schema:
    """The object that a schema describes, also where it is a list of them or may be null."""
    for inner in [schema.get("items"), *schema.get("anyOf", [])]:
        if "properties" not in schema and inner is not None and inner != {"type": "null"}:
            return _object(inner)
    return schema


def _words(schema: Schema) -> set[str]:
    """What a value may be."""
    if "anyOf" in schema:
        return set().union(*(_words(inner) for inner in schema["anyOf"]))
    if "enum" in schema:
        return {json.dumps(word) for word in schema["enum"]}
    if "$ref" in schema:
        return {"object"}
    return {{"integer": "number"}.get(schema["type"], schema["type"])}


def _of_the_client(types: list[str]) -> set[str]:
    """The same of a field's type."""
    plain = {"string", "number", "boolean", "null"}
    return {
        word if word in plain or word.startswith('"') else "array" if word.endswith("[]") else "object"
        for word in types
    }


@pytest.mark.parametrize("name", SCHEMAS)
def test_an_interface_is_what_its_schema_says(interfaces: Any, name: str) -> None:
    """Without this a field that the server renames would be undefined in every frontend, and no compiler would say."""
    schema, fields = _object(SCHEMAS[name]), interfaces[name]
    assert set(fields) == set(schema["properties"])
    for field, told in fields.items():
        allowed = _words(schema["properties"][field]) - _NARROWER.get((name, field), set())
        assert _of_the_client(told["types"]) == allowed, (name, field)
        assert told["optional"] or field in schema["required"], (name, field, "may be missing")


def test_every_interface_of_the_client_is_compared(interfaces: Any) -> None:
    """Without this a new type of the client would be compared with nothing."""
    assert set(interfaces) - set(SCHEMAS) == {"QuietFrame"}
