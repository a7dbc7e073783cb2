"""Puts together the calls of tools that a model asks for, however its endpoint cuts them into deltas."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.llm.characters import whole

# More than any plan has room for: a model that repeats itself for ever is not listened to for ever.
_CALLS_LIMIT = 32
_ARGUMENTS_LIMIT_CHARACTERS = 20_000


@dataclasses.dataclass(frozen=True)
class CallDelta:
    """A piece of one call; what the endpoint left out or sent as null is None or empty."""

    call_id: str
    index: int | None
    name: str
    arguments: str


@dataclasses.dataclass
class _Begun:
    call_id: str
    index: int | None
    name: str = ""
    arguments: str = ""

    def is_whole(self) -> bool:
        return _arguments(self.arguments) is not None


@dataclasses.dataclass(frozen=True)
class AskedFor:
    """A call that the model asks for; `arguments` is None when they are no JSON object."""

    name: str
    arguments: dict[str, Any] | None


def read_deltas(told: object) -> tuple[CallDelta, ...]:
    """The pieces in a delta's `tool_calls`."""
    if not isinstance(told, list):
        return ()
    return tuple(_delta(one) for one in told if isinstance(one, dict))


def _delta(one: Mapping[str, Any]) -> CallDelta:
    function = one.get("function")
    function = function if isinstance(function, dict) else {}
    index, call_id, name, arguments = one.get("index"), one.get("id"), function.get("name"), function.get("arguments")
    if isinstance(arguments, dict):
        arguments = json.dumps(arguments)
    return CallDelta(
        call_id if isinstance(call_id, str) else "",
        index if isinstance(index, int) and not isinstance(index, bool) else None,
        name if isinstance(name, str) else "",
        arguments if isinstance(arguments, str) else "",
    )


class CallGathering:
    """The calls so far. Pieces belong together by their id; only one without an id is told by its index."""

    def __init__(self) -> None:
        self._calls: list[_Begun] = []

    def take(self, deltas: Sequence[CallDelta]) -> None:
        """Adds pieces, in the order in which they came."""
        for delta in deltas:
            call = self._of(delta)
            if call is None:
                continue
            call.name = call.name or delta.name
            call.arguments = (call.arguments + delta.arguments)[:_ARGUMENTS_LIMIT_CHARACTERS]

    def asked_for(self) -> list[AskedFor]:
        """The calls in the order in which they began."""
        return [AskedFor(call.name, _arguments(call.arguments)) for call in self._calls if call.name]

    def _of(self, delta: CallDelta) -> _Begun | None:
        if delta.call_id:
            # Several endpoints number every call 0, so an id that is new begins a new one whatever its index.
            known = next((call for call in self._calls if call.call_id == delta.call_id), None)
            return known or self._begin(delta)
        fitting = [call for call in self._calls if delta.index is None or call.index == delta.index]
        newest = fitting[-1] if fitting else None
        if newest is None:
            return self._begin(delta)
        if delta.name and newest.name and (delta.name != newest.name or newest.arguments) and newest.is_whole():
            # Neither ids nor indexes: each piece is a call.
            return self._begin(delta)
        return newest

    def _begin(self, delta: CallDelta) -> _Begun | None:
        if len(self._calls) >= _CALLS_LIMIT:
            return None
        self._calls.append(_Begun(delta.call_id, delta.index))
        return self._calls[-1]


def _arguments(text: str) -> dict[str, Any] | None:
    if not text.strip():
        return {}
    try:
        read = json.loads(text)
    except ValueError:
        return None
    if read is None:
        return {}
    return _cleaned(read) if isinstance(read, dict) else None


def _cleaned(values: dict[str, Any]) -> dict[str, Any]:
    """Without nulls, by which some models say that an argument is left out, and with texts that can be kept."""
    return {
        whole(name): whole(value) if isinstance(value, str) else value
        for name, value in values.items()
        if value is not None
    }
