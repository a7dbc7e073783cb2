"""What the stand-in is told to do, with the answer it gives when told nothing."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

QUIRKS = frozenset(
    {
        "comments",  # `: keep-alive` between the events
        "call_index_zero",  # every call of a tool has the index 0
        "call_object",  # a call's arguments are an object instead of its JSON
        "call_whole",  # a call comes in one piece
        "crlf",  # lines end with CRLF
        "empty_choices",  # chunks with `choices: []` before the first word and between words
        "error_in_stream",  # after the words an error object instead of an end
        "no_call_id",  # calls of tools have no id
        "no_call_index",  # nor an index
        "null_arguments",  # a call's arguments are null at first, and stay so when there are none
        "null_content",  # chunks whose content is null between the words
        "no_done",  # no `[DONE]`
        "no_finish_reason",  # the finish reason stays null
        "no_space",  # `data:` without a space
        "no_stream_options",  # 400 for a request with stream_options
        "no_usage",  # no count of tokens
        "null_usage",  # a count whose fields are null
        "split",  # every event arrives in pieces of three bytes
        "whole",  # one JSON document although a stream was asked for
    }
)
PASSAGE = re.compile(r"^(=== [0-9a-f]{12}) passage 1: [^\n]*\n(.*?)\n\1 ", re.DOTALL | re.MULTILINE)
QUOTE_LIMIT_CHARACTERS = 300


@dataclasses.dataclass(frozen=True)
class Script:
    """One way to behave, for every request until the next script.

    `calls`: what a request that offers tools is answered with: `{name, arguments}` each; None: with words.
    `words`: the answer's pieces; None: the default answer, which quotes the first passage and cites [1].
    `step`: each word waits for a release of its own. `pace_seconds`: time between words or pieces.
    `silent`: takes the request and answers nothing, not even a status. `stall_after`, `cut_after`: after so many words
    goes silent, or breaks the connection in the middle of the answer.
    `fail_first`: so many requests are answered with `fail_status`, its `retry_after` header and `fail_body`.
    `linger`: keeps the connection open after the last byte. `finish_reason`: why the answer ended.
    `quirks`: see QUIRKS. `raw`: the body instead of the words, piece by piece, of `content_type`.
    """

    calls: tuple[dict[str, Any], ...] | None = None
    words: tuple[str, ...] | None = None
    step: bool = False
    pace_seconds: float = 0.0
    silent: bool = False
    stall_after: int | None = None
    cut_after: int | None = None
    fail_first: int = 0
    fail_status: int = 500
    fail_body: str = '{"error": {"message": "the stand-in was told to fail", "type": "server_error"}}'
    retry_after: str | None = None
    linger: bool = False
    finish_reason: str = "stop"
    quirks: frozenset[str] = frozenset()
    raw: tuple[str, ...] | None = None
    content_type: str = "text/event-stream"

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Script:
        """The script with these fields; lists may stand for tuples and sets. Raises ValueError for an unknown one."""
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := set(fields) - known:
            raise ValueError(f"no such field of a script: {', '.join(sorted(unknown))}")
        values = dict(fields)
        for name in ("calls", "words", "raw"):
            if values.get(name) is not None:
                values[name] = tuple(values[name])
        values["quirks"] = frozenset(values.get("quirks") or ())
        if strange := values["quirks"] - QUIRKS:
            raise ValueError(f"no such quirk: {', '.join(sorted(strange))}")
        return cls(**values)


def answer_words(script: Script, body: dict[str, Any]) -> tuple[str, ...]:
    """The pieces of the answer to a request's `body`."""
    if script.words is not None:
        return script.words
    told = "\n".join(str(message.get("content")) for message in body.get("messages", []))
    passage = PASSAGE.search(told)
    if passage is None:
        return _cut("The documents do not hold the answer.")
    quote = " ".join(passage.group(2).split())
    if len(quote) > QUOTE_LIMIT_CHARACTERS:
        quote = quote[:QUOTE_LIMIT_CHARACTERS].rpartition(" ")[0]
    return _cut(f"According to the documents: {quote} [1]")


def _cut(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\S+\s*", text))
