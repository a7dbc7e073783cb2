"""Whether an answer is what the OpenAPI document says of it; a field that the document does not name counts, too."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from werkzeug.test import TestResponse


def closed(schema: Any) -> Any:
    """The schema, whose objects have no other fields than those that it names."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(item) for name, item in schema.items()}
    if isinstance(made.get("properties"), dict) and made.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


def references(value: Any) -> Iterator[str]:
    """Everything that a document refers to."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


class ContractReader:
    """Reads a document's schemas."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self._schemas = closed(document["components"]["schemas"])

    def faults(self, schema: Any, value: Any) -> list[str]:
        """What of the value is not as the schema says."""
        whole = {**closed(schema), "components": {"schemas": self._schemas}}
        found = Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(value)
        return [f"{error.json_path}: {error.message[:300]}" for error in found]

    def check(self, path: str, method: str, reply: TestResponse) -> None:
        """Fails for an answer to the operation that the document does not describe."""
        self.check_parts(path, method, reply.status_code, reply.headers, reply.data)

    def check_parts(self, path: str, method: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """The same, by the parts of an answer."""
        assert status != 500, (path, body[:300])
        operation = self.document["paths"][path][method]
        told = operation["responses"].get(str(status))
        assert told is not None, f"{method} {path} answers {status}: {body[:300]}"
        if "$ref" in told:
            told = self.document["components"]["responses"][told["$ref"].rpartition("/")[2]]
        missing = {name for name in told.get("headers", {}) if name not in headers}
        # Who is refused before anything was counted is not told what is left.
        assert {name for name in missing if "RateLimit" not in name} == set(), (path, status)
        content = told.get("content")
        if content is None:
            assert body == b""
            return
        media = headers["Content-Type"].partition(";")[0]
        assert media in content
        if "json" in media:
            assert self.faults(content[media]["schema"], json.loads(body)) == [], (path, body[:500])
