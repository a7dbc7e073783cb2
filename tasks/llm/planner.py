"""Has a model choose the tools for a message, in one request; what it does not say in time the rules decide."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from pipeline.errors import StageFailed, TransientFault
from tasks.llm.characters import whole
from tasks.llm.exchange import Patience, exchange
from tasks.llm.failover import FailoverModel, tell_another
from tasks.llm.gathering import Gathering
from tasks.llm.memory import remembered
from tasks.llm.model import Turn, Usage
from tasks.llm.openai import OpenAIModel
from tasks.rag.plan import Call
from tasks.tool import Tool
from tasks.toolbox import call_of

# Below so little time nothing comes back.
_LEAST_SECONDS = 0.2
_ARGUMENT_LIMIT_CHARACTERS = 2_000
_SYSTEM = (
    "You decide which tools are asked before a question is answered from collections of documents. Call between one "
    "and {limit} tools, all at once, and write nothing else. Search only the collections whose description fits the "
    "question; if in doubt, search more of them. Write each query as a whole question in the question's own language, "
    "with what it needs of the conversation put in. The collections are:\n{collections}"
)


@dataclasses.dataclass(frozen=True)
class Asking:
    """What is to be planned: the message, what was said before it, the collections with descriptions, the tools."""

    message: str
    history: Sequence[Turn]
    language: str
    collections: Mapping[str, str]
    tools: Sequence[Tool]


@dataclasses.dataclass(frozen=True)
class Chosen:
    """What came of it: the calls, or why there are none (`timeout`, `unavailable`, `refused`, `no_call`, `bad_call`).

    `provider`, `model` and `usage` are of the request that was answered, if one was.
    """

    calls: tuple[Call, ...] = ()
    why_not: str = ""
    provider: str = ""
    model: str = ""
    usage: Usage | None = None


class Planner:
    """Asks the endpoints of `author`, in its order, for at most `calls_limit` calls within `timeout_seconds`."""

    def __init__(self, author: FailoverModel, timeout_seconds: float, calls_limit: int, memory_tokens: int) -> None:
        self._author = author
        self._timeout_seconds = timeout_seconds
        self._calls_limit = calls_limit
        self._memory_tokens = memory_tokens

    def choose(self, asking: Asking, stopped: Callable[[], bool]) -> Chosen:
        """The calls for a message. Raises FenceLost when stopped, nothing else of what an endpoint does."""
        body = self._body(asking)
        deadline = time.monotonic() + self._timeout_seconds
        failed: tuple[OpenAIModel, Exception] | None = None
        for model in self._author.order():
            left = deadline - time.monotonic()
            if left < _LEAST_SECONDS:
                break
            if failed is not None:
                tell_another(asking.language, failed[0], model, failed[1])
            try:
                gathering = _ask(model, body, left, stopped)
            except (TransientFault, StageFailed) as fault:
                self._author.note(model, well=False)
                failed = (model, fault)
                continue
            self._author.note(model, well=True)
            calls = self._calls(gathering, asking)
            why_not = "" if calls else "bad_call" if gathering.calls.asked_for() else "no_call"
            return Chosen(tuple(calls), why_not, model.provider, model.name, gathering.usage)
        if time.monotonic() > deadline - _LEAST_SECONDS:
            return Chosen(why_not="timeout")
        return Chosen(why_not="refused" if failed and isinstance(failed[1], StageFailed) else "unavailable")

    def _body(self, asking: Asking) -> dict[str, Any]:
        listed = "\n".join(f"- {name}: {told}" if told else f"- {name}" for name, told in asking.collections.items())
        said, _ = remembered(asking.history, self._memory_tokens)
        return {
            "messages": [
                {"role": "system", "content": _SYSTEM.format(limit=self._calls_limit, collections=listed)},
                *said,
                {"role": "user", "content": whole(asking.message)},
            ],
            "tools": [_declared(tool, list(asking.collections)) for tool in asking.tools],
            "tool_choice": "auto",
            "temperature": 0,
        }

    def _calls(self, gathering: Gathering, asking: Asking) -> list[Call]:
        """The calls that can be made, each once; what the model made up is left out."""
        tools = {tool.name: tool for tool in asking.tools}
        calls: list[Call] = []
        for one in gathering.calls.asked_for():
            tool = tools.get(one.name)
            if tool is None or one.arguments is None:
                continue
            arguments = _known(tool, one.arguments)
            if "collection" in tool.parameters and len(asking.collections) == 1:
                # Where there is no choice a model often names none, and a message may be meant for one collection only.
                arguments = {"collection": next(iter(asking.collections)), **arguments}
            if not _fits(_schema(tool, list(asking.collections)), arguments):
                continue
            call = call_of(tool.name, arguments)
            if call not in calls:
                calls.append(call)
        return calls[: self._calls_limit]


def _ask(model: OpenAIModel, body: dict[str, Any], seconds: float, stopped: Callable[[], bool]) -> Gathering:
    asked = exchange(model.endpoint, body, Patience(seconds, whole=seconds), stopped)
    while True:
        try:
            next(asked)
        except StopIteration as end:
            gathering: Gathering = end.value
            gathering.check_end()
            return gathering


def _schema(tool: Tool, collections: Sequence[str]) -> dict[str, Any]:
    parameters = {name: dict(schema) for name, schema in tool.parameters.items()}
    if "collection" in parameters:
        parameters["collection"]["enum"] = list(collections)
    needed = [name for name in parameters if name not in tool.optional]
    return {"type": "object", "properties": parameters, "required": needed}


def _declared(tool: Tool, collections: Sequence[str]) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": _schema(tool, collections)}
    return {"type": "function", "function": function}


def _known(tool: Tool, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that the tool has, texts with plain spaces and cut, without empty ones."""
    known = {name: value for name, value in arguments.items() if name in tool.parameters}
    texts = {
        name: " ".join(value.split())[:_ARGUMENT_LIMIT_CHARACTERS]
        for name, value in known.items()
        if isinstance(value, str)
    }
    return {name: value for name, value in {**known, **texts}.items() if value != ""}


def _fits(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
    try:
        return bool(Draft202012Validator(schema).is_valid(arguments))
    except SchemaError:
        return False
