"""The bytes of a streamed chat completion, healthy or with quirks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.stand_in.script import Script

SPLIT_BYTES = 3


def event(data: str, script: Script) -> bytes:
    """One event with this data."""
    end = "\r\n" if "crlf" in script.quirks else "\n"
    space = "" if "no_space" in script.quirks else " "
    return f"data:{space}{data}{end}{end}".encode()


def chunk(script: Script, model: str, choices: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> bytes:
    """One chunk of a completion."""
    body = {"id": "stand-in", "object": "chat.completion.chunk", "created": 0, "model": model, "choices": choices}
    return event(json.dumps(body | {"usage": usage}, ensure_ascii=False), script)


def choice(delta: dict[str, Any], finish_reason: str | None = None) -> list[dict[str, Any]]:
    """The choices of a chunk: the one there is."""
    return [{"index": 0, "delta": delta, "finish_reason": finish_reason}]


def opening(script: Script, model: str) -> Iterator[bytes]:
    """What comes before the first word."""
    yield from between(script, model)
    yield chunk(script, model, choice({"role": "assistant", "content": ""}))


def between(script: Script, model: str) -> Iterator[bytes]:
    """What comes before each word: nothing, when healthy."""
    if "comments" in script.quirks:
        yield b": keep-alive\r\n\r\n" if "crlf" in script.quirks else b": keep-alive\n\n"
    if "empty_choices" in script.quirks:
        yield chunk(script, model, [])
    if "null_content" in script.quirks:
        yield chunk(script, model, choice({"role": None, "content": None}))


def word(script: Script, model: str, text: str) -> bytes:
    """One word of the answer."""
    return chunk(script, model, choice({"content": text}))


def calls(script: Script, model: str) -> Iterator[bytes]:
    """The calls of tools in turn: a name, then its arguments in two pieces that have only the index."""
    for number, call in enumerate(script.calls or ()):
        told = json.dumps(call["arguments"]) if call["arguments"] else ""
        first: Any = None if "null_arguments" in script.quirks else ""
        pieces = [first, *filter(None, (told[:5], told[5:]))]
        if "call_object" in script.quirks:
            pieces = [call["arguments"]]
        elif "call_whole" in script.quirks:
            pieces = [told or first]
        for part, arguments in enumerate(pieces):
            one: dict[str, Any] = {"function": {"arguments": arguments}}
            if part == 0:
                one = {"id": f"call-{number}", "type": "function", "function": {"arguments": arguments}}
                one["function"]["name"] = call["name"]
            if "no_call_id" in script.quirks:
                one.pop("id", None)
            if "no_call_index" not in script.quirks:
                one["index"] = 0 if "call_index_zero" in script.quirks else number
            yield chunk(script, model, choice({"tool_calls": [one]}))


def closing(script: Script, model: str, usage: dict[str, Any]) -> Iterator[bytes]:
    """What comes after the last word."""
    if "error_in_stream" in script.quirks:
        yield event(json.dumps({"error": {"message": "overloaded", "type": "server_error"}}), script)
        return
    if "no_finish_reason" not in script.quirks:
        yield chunk(script, model, choice({}, script.finish_reason))
    if "null_usage" in script.quirks:
        yield chunk(script, model, [], dict.fromkeys(usage))
    elif "no_usage" not in script.quirks:
        yield chunk(script, model, [], usage)
    if "no_done" not in script.quirks:
        yield event("[DONE]", script)


def document(script: Script, model: str, text: str, usage: dict[str, Any]) -> bytes:
    """The whole completion as one JSON document."""
    message = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": script.finish_reason}
    body = {"id": "stand-in", "object": "chat.completion", "created": 0, "model": model, "choices": [message]}
    return json.dumps(body | {"usage": usage}).encode()


def count_tokens(body: dict[str, Any], words: tuple[str, ...]) -> dict[str, Any]:
    """A usage object: one token a word."""
    asked = sum(len(str(message.get("content")).split()) for message in body.get("messages", []))
    return {
        "prompt_tokens": asked,
        "completion_tokens": len(words),
        "total_tokens": asked + len(words),
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }


def pieces(data: bytes, script: Script) -> list[bytes]:
    """`data` as it is sent: at once, or three bytes at a time."""
    if "split" not in script.quirks:
        return [data]
    return [data[start : start + SPLIT_BYTES] for start in range(0, len(data), SPLIT_BYTES)]
