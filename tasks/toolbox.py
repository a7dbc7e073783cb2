"""Finds the tools: the files of `tasks/tools`, and the modules that the settings name."""

from __future__ import annotations

import functools
import importlib
import logging
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import SettingError, StageFailed
from pipeline.settings import Settings
from tasks import tools as own_tools
from tasks.rag.plan import Call
from tasks.tool import REGISTERED, Gave, Tool, ToolRun

logger = logging.getLogger(__name__)


@functools.cache
def _load(modules: str) -> None:
    for found in pkgutil.iter_modules(own_tools.__path__):
        importlib.import_module(f"{own_tools.__name__}.{found.name}")
    for name in filter(None, (part.strip() for part in modules.split(","))):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise SettingError(f"SPANFEED_TOOLS: {name} cannot be imported: {error}") from None


def tools(settings: Settings) -> Mapping[str, Tool]:
    """Every tool by its name. Raises SettingError when a module of the settings cannot be imported."""
    _load(settings.tools)
    return REGISTERED


def find(settings: Settings, name: str) -> Tool:
    """The tool of that name; for a tool that is not here (any more) one that fails."""
    return tools(settings).get(name) or Tool(name, f"tool_{name}", "", _missing)


def _missing(_: ToolRun, **_arguments: object) -> Gave:
    raise StageFailed("there is no such tool here")


def asked_by_rules(settings: Settings, message: str, collections: Sequence[str]) -> list[Call]:
    """The calls that `message` asks for by the tools' own rules; a rule that breaks is left out."""
    calls: list[Call] = []
    for found in tools(settings).values():
        if found.asked is None:
            continue
        try:
            calls += [call_of(found.name, arguments) for arguments in found.asked(message, collections)]
        except Exception:
            logger.exception("the rule of the tool %s broke", found.name)
    return calls[: settings.tool_calls_limit]


def call_of(name: str, arguments: Mapping[str, Any]) -> Call:
    """The call of the tool `name` with these arguments."""
    rest = {key: value for key, value in arguments.items() if key not in {"collection", "query"}}
    return Call(str(arguments.get("collection", "")), str(arguments.get("query", "")), name, rest)
