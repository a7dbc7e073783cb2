"""Words for JSON Schemas, so that a reply's fields can be written down in a line each."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
OBJECT: Schema = {"type": "object"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
SESSION_ID: Schema = {"type": "string", "pattern": r"^(?!.*\.\.)[A-Za-z0-9._:@-]{1,64}$"}


def one_of(words: Iterable[str] | type[enum.StrEnum]) -> Schema:
    """A text that is one of these."""
    return {"type": "string", "enum": [str(word) for word in words]}


def maybe(schema: Schema) -> Schema:
    """What `schema` says, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def many(schema: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": schema}


def mapped(schema: Schema) -> Schema:
    """An object with names of any kind."""
    return {"type": "object", "additionalProperties": schema}


def thing(optional: dict[str, Schema] | None = None, **fields: Schema) -> Schema:
    """An object: `fields` are always there, the `optional` ones now and then."""
    made: Schema = {"type": "object", "properties": {**fields, **(optional or {})}}
    return {**made, "required": list(fields)} if fields else made


def fields(names: str, schema: Schema) -> dict[str, Schema]:
    """Several fields of one kind; `names` stand with a space between."""
    return dict.fromkeys(names.split(), schema)


def ref(name: str) -> Schema:
    """A schema of the document's own."""
    return {"$ref": f"#/components/schemas/{name}"}
