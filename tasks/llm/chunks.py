"""Reads the JSON of a chat completion, streamed or whole, with all that real endpoints leave out or add."""

from __future__ import annotations

import dataclasses
import json

from pipeline.errors import StageFailed, TransientFault
from tasks.llm import faults
from tasks.llm.model import Usage
from tasks.llm.tool_calls import CallDelta, read_deltas


@dataclasses.dataclass(frozen=True)
class Chunk:
    """One message of the endpoint.

    `alive` says that the endpoint is at work, also when it gave no text (a role, hidden reasoning, a count); `working`
    that the model is (text, hidden reasoning, a tool's call).
    `done` is the `[DONE]` that ends a stream. `fault` is an error told inside the stream.
    """

    text: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None
    alive: bool = False
    done: bool = False
    fault: TransientFault | StageFailed | None = None
    working: bool = dataclasses.field(default=False, compare=False)
    calls: tuple[CallDelta, ...] = ()


def read(data: str) -> list[Chunk]:
    """The chunks in the data of one event: one, or as many as lines when the blank lines between were forgotten."""
    try:
        return [_chunk(data)]
    except ValueError:
        lines = data.splitlines()
    try:
        return [_chunk(line) for line in lines]
    except ValueError:
        return [Chunk(fault=TransientFault("The model's endpoint sent something that is not JSON."))]


def _chunk(data: str) -> Chunk:
    data = data.strip()
    if data == "[DONE]":
        return Chunk(alive=True, done=True)
    # Not orjson: it refuses the lone surrogates that some endpoints send as halves of one character.
    message = json.loads(data) if data else None
    if not isinstance(message, dict):
        return Chunk()
    if message.get("error"):
        return Chunk(fault=faults.of_error_object(message["error"]))
    usage = read_usage(message.get("usage"))
    choices = message.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        return Chunk(usage=usage, alive=usage is not None)
    delta = choice.get("delta") or choice.get("message")
    delta = delta if isinstance(delta, dict) else {}
    reason = choice.get("finish_reason")
    reason = reason if isinstance(reason, str) and reason else None
    alive = reason is not None or usage is not None or any(delta.values())
    working = reason is not None or any(value for name, value in delta.items() if name != "role")
    text = _text(delta.get("content")) or _text(delta.get("refusal"))
    return Chunk(text, reason, usage, alive, working=working, calls=read_deltas(delta.get("tool_calls")))


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (part for part in content if isinstance(part, dict) and part.get("type", "text") == "text")
        return "".join(part["text"] for part in parts if isinstance(part.get("text"), str))
    return ""


def read_usage(told: object) -> Usage | None:
    """The endpoint's `usage` object in our words; None when it counted nothing. Counts are in tokens."""
    if not isinstance(told, dict):
        return None
    request, response, total = (_count(told.get(f"{name}_tokens")) for name in ("prompt", "completion", "total"))
    if not (request or response or total):
        return None
    details: dict[str, int] = {}
    for part in ("prompt_tokens_details", "completion_tokens_details"):
        counted = told.get(part)
        for name, value in counted.items() if isinstance(counted, dict) else ():
            if _count(value):
                details[name] = details.get(name, 0) + _count(value)
    return Usage(1, request, response, total or request + response, details)


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
