"""Routing rules: data that say what else becomes of an event. The package's own, and a user's from a file."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import InvalidEvent, SettingError
from pipeline.event import Category, Priority, check_type
from pipeline.rule_files import read_rules
from pipeline.settings import Settings
from pipeline.unified.event import UnifiedEvent
from pipeline.unified.patterns import is_pattern, matches

ACTIONS = ("realtime", "everyone", "audit", "notification")
_RULES_LIMIT = 200
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MATCHES = ("category", "priority", "event_type", "source_system")
_KEYS = {"name", "match", "then", "emit", "enabled"}


@dataclasses.dataclass(frozen=True)
class Made:
    """The event that a rule makes beside the one that it matches."""

    event_type: str
    category: Category
    priority: Priority | None


@dataclasses.dataclass(frozen=True)
class Rule:
    """One rule: an event that fits all of its conditions (an empty one fits all) is treated as `then` says."""

    name: str
    then: tuple[str, ...]
    category: tuple[str, ...] = ()
    priority: tuple[str, ...] = ()
    event_type: tuple[str, ...] = ()
    source_system: tuple[str, ...] = ()
    emit: Made | None = None

    def fits(self, event: UnifiedEvent) -> bool:
        """Whether the rule is meant for this event."""
        return (
            (not self.category or event.category in self.category)
            and (not self.priority or event.priority in self.priority)
            and (not self.source_system or event.source_system in self.source_system)
            and (not self.event_type or any(matches(pattern, event.event_type) for pattern in self.event_type))
        )


DEFAULT_RULES: Sequence[Mapping[str, Any]] = (
    {"name": "high-to-realtime", "match": {"priority": ["high", "critical"]}, "then": ["realtime"]},
    {"name": "security-to-audit", "match": {"category": ["security"]}, "then": ["audit"]},
    {"name": "critical-to-notification", "match": {"priority": ["critical"]}, "then": ["notification"]},
)
"""In the form in which a file holds them; a user's rule of the same name takes the place of one of these."""


def load_rules(settings: Settings) -> tuple[Rule, ...]:
    """The rules that are in force. Raises SettingError, which says where the file is wrong."""
    own: list[Any] = []
    if settings.routing_rules_path:
        path = Path(settings.routing_rules_path)
        own = read_rules(path, "SPANFEED_ROUTING_RULES_PATH", "routing rules", "rule", _RULES_LIMIT)
    if not settings.cross_system_routing:
        return ()
    named: dict[str, Rule | None] = {}
    for place, raw in enumerate(DEFAULT_RULES):
        named[raw["name"]] = _rule(raw, f"default rule {place + 1}")
    seen: set[str] = set()
    for place, raw in enumerate(own):
        rule = _rule(raw, f"rule {place + 1}")
        if rule.name in seen:
            raise SettingError(f"routing rules: there are two rules with the name {rule.name}")
        seen.add(rule.name)
        named[rule.name] = rule if raw.get("enabled", True) else None
    return tuple(rule for rule in named.values() if rule is not None)


def _rule(raw: Any, place: str) -> Rule:
    if not isinstance(raw, Mapping):
        raise SettingError(f"routing rules: {place} is not a table")
    name = raw.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SettingError(f"routing rules: {place} needs a name of 1 to 64 of A-Z a-z 0-9 . _ -")
    where = f"routing rules: {name}"
    _only(raw, _KEYS, where)
    if not isinstance(raw.get("enabled", True), bool):
        raise SettingError(f"{where}: enabled must be true or false")
    match = raw.get("match", {})
    if not isinstance(match, Mapping):
        raise SettingError(f"{where}: match must be a table")
    _only(match, set(_MATCHES), f"{where}: match")
    conditions = {word: _words(match.get(word, []), f"{where}: match.{word}") for word in _MATCHES}
    _known(conditions["category"], Category, f"{where}: match.category")
    _known(conditions["priority"], Priority, f"{where}: match.priority")
    for pattern in conditions["event_type"]:
        if not is_pattern(pattern):
            raise SettingError(f"{where}: match.event_type: {pattern!r} is no type and no pattern")
    then = _words(raw.get("then", []), f"{where}: then")
    for word in then:
        if word not in ACTIONS:
            raise SettingError(f"{where}: then: {word!r} is none of {', '.join(ACTIONS)}")
    emit = _made(raw["emit"], f"{where}: emit") if "emit" in raw else None
    if not then and emit is None and raw.get("enabled", True):
        raise SettingError(f"{where}: it says neither then nor emit")
    return Rule(name, then, emit=emit, **conditions)


def _made(raw: Any, where: str) -> Made:
    if not isinstance(raw, Mapping):
        raise SettingError(f"{where} must be a table")
    _only(raw, {"event_type", "category", "priority"}, where)
    try:
        priority = Priority(raw["priority"]) if "priority" in raw else None
        return Made(check_type(str(raw["event_type"])), Category(raw["category"]), priority)
    except KeyError as error:
        raise SettingError(f"{where}: {error.args[0]} is missing") from None
    except (ValueError, InvalidEvent) as error:
        raise SettingError(f"{where}: {error}") from None


def _words(value: Any, where: str) -> tuple[str, ...]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise SettingError(f"{where} must be a word or a list of words")
    return tuple(words)


def _known(words: Sequence[str], kind: type[Category] | type[Priority], where: str) -> None:
    for word in words:
        if word not in list(kind):
            raise SettingError(f"{where}: {word!r} is none of {', '.join(kind)}")


def _only(raw: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(str(key) for key in set(raw) - known)
    if unknown:
        raise SettingError(f"{where}: {unknown[0]!r} is none of {', '.join(sorted(known))}")
