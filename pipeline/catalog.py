"""The catalogue of event types: category, priority, audience, and the sentence a user reads for each status."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Mapping
from typing import Any

from pipeline import catalog_texts, catalog_unified
from pipeline.event import Category, Priority, Status, check_type, clean_text

LANGUAGES = ("en", "sw", "fr")
_PLACEHOLDER = re.compile(r"\{([a-z_]{1,40})\}")
_VALUE_LIMIT_CHARACTERS = 400


class Audience(enum.StrEnum):
    """Who sees an event besides operators and auditors.

    `user`: the session's feed and the user's own; `person`: the user's own feeds, but not the session's; `everyone`:
    all users; `operator`: nobody else; `record`: not even operators live, it is only kept.
    """

    USER = "user"
    PERSON = "person"
    EVERYONE = "everyone"
    OPERATOR = "operator"
    RECORD = "record"


@dataclasses.dataclass(frozen=True)
class EventType:
    """One line of the catalogue."""

    name: str
    category: Category = Category.WORKFLOW
    priority: Priority = Priority.NORMAL
    audience: Audience = Audience.USER


STAGE_TYPES = (
    "message_received",
    "loading_history",
    "agent_thinking",
    "tool_search_documents",
    "tool_search_webpages",
    "tool_collection_stats",
    "tool_extract_text",
    "response_generation",
    "saving_message",
)
SPAN_TYPE = "span"
"""An ordinary OpenTelemetry span inside a stage, shown to operators."""

GAP_TYPE = "gap"
"""Tells operators that events were lost before they could be written."""

PRIORITIES: Mapping[Category, Priority] = {Category.SECURITY: Priority.HIGH, Category.ANALYTICS: Priority.LOW}
"""What an event matters when nobody says it; all other categories are normal."""

FOR_OPERATORS = frozenset({Category.SECURITY, Category.AUDIT, Category.MONITORING, Category.ANALYTICS})
"""The categories that are for operators unless somebody says otherwise."""


def _unified(name: str, category: Category) -> EventType:
    audience = Audience.OPERATOR if category in FOR_OPERATORS else Audience.USER
    return EventType(name, category, PRIORITIES.get(category, Priority.NORMAL), audience)


CATALOG: Mapping[str, EventType] = {
    **{name: EventType(name) for name in STAGE_TYPES},
    "error": EventType("error", priority=Priority.HIGH),
    SPAN_TYPE: EventType(SPAN_TYPE, Category.MONITORING, Priority.LOW, Audience.OPERATOR),
    GAP_TYPE: EventType(GAP_TYPE, Category.MONITORING, Priority.HIGH, Audience.OPERATOR),
    **{name: _unified(name, category) for name, category in catalog_unified.TYPES.items()},
}


RESERVED_TYPES = frozenset(CATALOG) - frozenset(catalog_unified.TYPES)
"""Types that only Spanfeed itself may tell: those of stages, their spans and endings."""


_ADDED: dict[str, Mapping[str, Mapping[str, str]]] = {}
"""Sentences of types that a tool of one's own brought along, in the form of `catalog_texts.TEXTS`."""


def add_texts(event_type: str, texts: Mapping[str, Mapping[str, str]]) -> None:
    """Gives a type that the catalogue does not know its sentences in this process: by status, then by language.

    Raises ValueError for a type that has sentences, an unknown status or language, or one without English.
    """
    check_type(event_type)
    if event_type in catalog_texts.TEXTS:
        raise ValueError(f"{event_type} has sentences already")
    for status, sentences in texts.items():
        if status not in set(Status) or "en" not in sentences or set(sentences) - set(LANGUAGES):
            raise ValueError(f"{event_type}: {status}: a status needs a sentence in English; sw and fr may be added")
    _ADDED[event_type] = texts


def lookup(name: str) -> EventType:
    """The catalogue's line for `name`; an unknown type is an ordinary one that users see."""
    return CATALOG.get(name) or EventType(name)


def language_of(tag: str | None) -> str:
    """The catalogue's language for a tag such as `fr-CA`; English for one it does not have."""
    word = (tag or "").replace("_", "-").partition("-")[0].lower()
    return word if word in LANGUAGES else "en"


def render(template: str, values: Mapping[str, Any]) -> str:
    """`template` with its `{name}` placeholders filled; one without a value is left out, with its extra space.

    Only plain names are placeholders: no attribute, index or format can be reached.
    """

    def fill(match: re.Match[str]) -> str:
        value = values.get(match[1])
        return "" if value is None else clean_text(str(value), _VALUE_LIMIT_CHARACTERS)

    return re.sub(r" {2,}", " ", _PLACEHOLDER.sub(fill, template)).strip()


def user_message(event_type: str, status: Status | str, language: str, values: Mapping[str, Any] | None = None) -> str:
    """The sentence for a user; `type:status` where the catalogue has none."""
    known = catalog_texts.TEXTS.get(event_type) or _ADDED.get(event_type, {})
    texts = known.get(str(status))
    if texts is None:
        return f"{event_type}:{status}"
    return render(texts.get(language_of(language)) or texts["en"], values or {})


def sentence(event_type: str, language: str, values: Mapping[str, Any] | None = None) -> str:
    """The sentence for an event without a status; the type's name where the catalogue has none."""
    texts = catalog_texts.TEXTS.get(event_type, {}).get(catalog_unified.NO_STATUS)
    return event_type if texts is None else render(texts[language_of(language)], values or {})


def note(name: str, language: str) -> str:
    """One of the notes that a stage's progress may say. Raises KeyError for an unknown one."""
    return catalog_texts.NOTES[name][language_of(language)]


def reason_text(reason: str, language: str) -> str:
    """Why a message failed, in words for its user."""
    texts = catalog_texts.REASONS.get(reason) or catalog_texts.REASONS["error"]
    return texts[language_of(language)]
