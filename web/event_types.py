"""The registry of event types of one's own: what a definition may say, and what a process remembers of them."""

from __future__ import annotations

import dataclasses
import datetime
import re
import threading
import time
from collections.abc import Mapping
from typing import Any

import jsonschema
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field
from referencing import Registry
from referencing.exceptions import Unresolvable

from pipeline import catalog
from pipeline.catalog import Audience
from pipeline.errors import InvalidEvent, StoreUnavailable
from pipeline.event import Category, Priority, check_type, clean_text, encode
from pipeline.settings import Settings
from pipeline.store import Store, event_types
from pipeline.store.event_types import OwnType
from web.errors import Problem, invalid

_SCHEMA_LIMIT_BYTES = 65_536
_TEXT_LIMIT_CHARACTERS = 500
_PLACEHOLDER = re.compile(r"\{([a-z_]{1,40})\}")
_ERRORS_SHOWN = 10


class Definition(BaseModel):
    """A type as an administrator defines it."""

    model_config = ConfigDict(extra="forbid")

    event_type: str
    category: Category = Category.REALTIME
    priority: Priority | None = None
    audience: Audience | None = None
    data_schema: dict[str, Any] | None = Field(default=None, alias="schema")
    texts: dict[str, str] = {}


def own_type(made: Definition, made_by: str) -> OwnType:
    """The type that a definition makes. Raises Problem (422) that says what cannot be used."""
    _check_name(made.event_type)
    if made.data_schema is not None:
        _check_schema(made.data_schema)
    _check_texts(made.texts, made.data_schema)
    secret = made.category in {Category.SECURITY, Category.AUDIT}
    if secret and made.audience in {Audience.EVERYONE, Audience.USER}:
        raise invalid("body", "audience", f"{made.category} events are for operators or one person", "invalid_audience")
    operators = made.category in catalog.FOR_OPERATORS
    now = datetime.datetime.now(datetime.UTC)
    return OwnType(
        name=made.event_type,
        category=str(made.category),
        priority=str(made.priority or catalog.PRIORITIES.get(made.category, Priority.NORMAL)),
        audience=str(made.audience or (Audience.OPERATOR if operators else Audience.USER)),
        schema=made.data_schema,
        texts={language: clean_text(text) for language, text in made.texts.items()},
        made_by=made_by,
        created_at=now,
        updated_at=now,
    )


def _check_name(name: str) -> None:
    try:
        check_type(name)
    except InvalidEvent as error:
        raise invalid("body", "event_type", str(error), "invalid_type", name) from None
    if name in catalog.CATALOG:
        raise invalid("body", "event_type", "is a type of Spanfeed's own catalogue", "reserved_type", name)


def _check_schema(schema: dict[str, Any]) -> None:
    if len(encode(schema)) > _SCHEMA_LIMIT_BYTES:
        raise Problem(413, "schema_too_large", f"A schema has at most {_SCHEMA_LIMIT_BYTES} bytes.")
    for reference in _references(schema):
        # Nothing is ever fetched; a schema that needs it would refuse every event.
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise invalid("body", "schema", "may refer only to itself (#…)", "foreign_reference", reference)
    try:
        Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise invalid("body", "schema", clean_text(error.message, 300), "invalid_schema") from None


def _references(value: Any) -> list[Any]:
    if isinstance(value, dict):
        own = [value[word] for word in ("$ref", "$dynamicRef", "$schema", "$id") if word in value]
        return [ref for ref in own if ref != Draft202012Validator.META_SCHEMA["$id"]] + [
            found for item in value.values() for found in _references(item)
        ]
    return [found for item in value for found in _references(item)] if isinstance(value, list) else []


def _check_texts(texts: Mapping[str, str], schema: dict[str, Any] | None) -> None:
    known = set((schema or {}).get("properties") or {})
    if texts and "en" not in texts:
        raise invalid("body", "texts", "needs an English text (en)", "missing_text")
    for language, text in texts.items():
        if language not in catalog.LANGUAGES:
            raise invalid(
                "body", "texts", f"has languages {', '.join(catalog.LANGUAGES)}", "unknown_language", language
            )
        if not text.strip() or len(text) > _TEXT_LIMIT_CHARACTERS:
            raise invalid("body", "texts", f"a text has 1 to {_TEXT_LIMIT_CHARACTERS} characters", "invalid_text", text)
        if re.search(r"[{}]", _PLACEHOLDER.sub("", text)):
            raise invalid("body", "texts", "a placeholder is {name}: small letters and _", "invalid_placeholder", text)
        for name in _PLACEHOLDER.findall(text):
            if known and name not in known:
                raise invalid("body", "texts", f"{{{name}}} is no property of the schema", "unknown_placeholder", text)


@dataclasses.dataclass(frozen=True)
class Registered:
    """A type as events are checked against it."""

    kept: OwnType
    validator: Draft202012Validator | None

    @classmethod
    def of(cls, kept: OwnType) -> Registered:
        """With its schema made ready."""
        registry: Any = Registry()
        return cls(kept, None if kept.schema is None else Draft202012Validator(kept.schema, registry=registry))

    def check(self, data: dict[str, Any]) -> None:
        """Raises Problem (422) with what the schema refuses and where."""
        if self.validator is None:
            return
        try:
            found = [error for error, _ in zip(self.validator.iter_errors(data), range(_ERRORS_SHOWN), strict=False)]
        except (Unresolvable, RecursionError, re.error):
            raise Problem(422, "unusable_schema", "The type's schema cannot be applied to this event.") from None
        if found:
            detail = [
                {
                    "type": f"schema.{error.validator}",
                    "loc": ["body", "data", *error.absolute_path],
                    "msg": clean_text(error.message, 300),
                    "input": None,
                }
                for error in found
            ]
            raise Problem(422, "schema_violated", detail)

    def sentence(self, language: str, data: Mapping[str, Any]) -> str | None:
        """The text in that language, filled with the data's plain values; None where the type has no texts."""
        texts = self.kept.texts
        if not texts:
            return None
        plain = {name: value for name, value in data.items() if isinstance(value, str | int | float)}
        return catalog.render(texts.get(language) or texts["en"], plain) or None


class EventTypes:
    """What a process remembers of the registry, for a short time. Safe to use from several threads."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._limit = settings.event_types_limit
        self._seconds = settings.event_types_cache_seconds
        self._store = store
        self._lock = threading.Lock()
        """Guards what is remembered."""
        self._known: dict[str, Registered] | None = None
        self._read_at = 0.0

    def get(self, name: str) -> Registered | None:
        """The type of this name. While the database is away what is remembered counts; else StoreUnavailable."""
        with self._lock:
            if self._known is None or time.monotonic() - self._read_at >= self._seconds:
                try:
                    self._known = {kept.name: Registered.of(kept) for kept in event_types.listed(self._store)}
                except StoreUnavailable:
                    if self._known is None:
                        raise
                self._read_at = time.monotonic()
            return self._known.get(name)

    def save(self, made: OwnType) -> bool:
        """Keeps a type; whether it is new. Raises Problem when there are too many, StoreUnavailable."""
        new = event_types.save(self._store, made, self._limit)
        if new is None:
            raise Problem(422, "too_many_types", f"There are {self._limit} event types already.")
        self.forget()
        return new

    def remove(self, name: str) -> bool:
        """Takes a type away; False when there is none. Raises StoreUnavailable."""
        found = event_types.remove(self._store, name)
        self.forget()
        return found

    def listed(self) -> list[OwnType]:
        """All types. Raises StoreUnavailable."""
        return event_types.listed(self._store)

    def forget(self) -> None:
        """Makes the next question read anew."""
        with self._lock:
            self._read_at = float("-inf")
