"""What a tool is: something that is asked while a message is answered, in a span of its own under agent_thinking."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline import catalog
from pipeline.settings import Settings
from tasks.rag.retriever import Passage

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")

Texts = Mapping[str, Mapping[str, str]]
"""By status (started, progress, completed, failed), then by language: what a user reads."""


@dataclasses.dataclass(frozen=True)
class ToolRun:
    """What a tool may look at: the settings, the message as it was asked, and its language."""

    settings: Settings
    message: str
    language: str


@dataclasses.dataclass(frozen=True)
class Gave:
    """What a tool gives.

    `passages` are pieces of documents, best first, and `confidence` (0..1) how likely they answer. `statement` is a
    sentence that is an answer by itself. `data` goes into the completed event: every client of the session sees it.
    `words_alone`: what finds passages by their meaning is away.
    """

    passages: tuple[Passage, ...] = ()
    confidence: float = 0.0
    statement: str = ""
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    words_alone: bool = False


Asked = Callable[[str, Sequence[str]], Sequence[Mapping[str, Any]]]
"""The message and the collections' names in; the arguments of each call out, none when the tool is not asked for."""


@dataclasses.dataclass(frozen=True)
class Tool:
    """A tool. `parameters` are JSON Schemas by name, all needed but the `optional`; a model reads the descriptions.

    `shown` names the arguments that stand in events. `asked` says without a model whether a message wants the tool.
    `tells_count` has its passages told as progress.
    """

    name: str
    event_type: str
    description: str
    work: Callable[..., Gave]
    parameters: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    shown: tuple[str, ...] = ("collection",)
    asked: Asked | None = None
    tells_count: bool = False

    def visible(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the arguments that may stand in an event."""
        return {name: arguments[name] for name in self.shown if name in arguments}


REGISTERED: dict[str, Tool] = {}
"""Every tool that this process has loaded, by name; see `tasks.toolbox`."""


def tool(
    description: str,
    *,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    optional: Sequence[str] = (),
    shown: Sequence[str] = ("collection",),
    texts: Texts | None = None,
    asked: Asked | None = None,
    tells_count: bool = False,
) -> Callable[[Callable[..., Gave]], Tool]:
    """Declares a tool. The decorated function's name is the tool's; its event type is `tool_` and that name.

    It is called with a `ToolRun` and the arguments by name, in a thread of its own, and must be safe to call twice.
    Raises ValueError when the name, the optional parameters or the texts are not what a tool needs.
    """

    def declare(work: Callable[..., Gave]) -> Tool:
        name = work.__name__
        known = dict(parameters or {})
        if not _NAME.fullmatch(name):
            raise ValueError(f"a tool's name is lower case letters, digits and _, not {name}")
        if unknown := set(optional) - set(known):
            raise ValueError(f"{name}: {', '.join(sorted(unknown))}: optional, but no parameter")
        made = Tool(
            name, f"tool_{name}", description, work, known, frozenset(optional), tuple(shown), asked, tells_count
        )
        if texts is not None:
            catalog.add_texts(made.event_type, texts)
        REGISTERED[name] = made
        return made

    return declare
