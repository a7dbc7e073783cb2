"""Values that fit a JSON Schema, and values that nearly do, for tests that try what the documents allow."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

_WORDS = st.text(max_size=20)
_ANY = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), _WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_WORDS, inner, max_size=3)),
    max_leaves=6,
)
"""Any JSON."""
_DEPTH = 4
Values = st.SearchStrategy[Any]


class SchemaValues:
    """Makes values for one document's schemas."""

    def __init__(self, schemas: dict[str, Any]) -> None:
        self._schemas = schemas

    def near(self, schema: Any) -> Values:
        """Mostly what fits; now and then something else, as a whole or inside."""
        return st.one_of(self.fitting(schema), self.fitting(schema, spoilt=True), _ANY)

    def fitting(self, schema: Any, spoilt: bool = False, depth: int = 0) -> Values:
        """What fits; `spoilt`: any field of an object may be of any kind, or missing."""
        if "$ref" in schema:
            return self.fitting(self._schemas[schema["$ref"].rpartition("/")[2]], spoilt, depth)
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        if "const" in schema:
            return st.just(schema["const"])
        if "properties" in schema:
            return self._object(schema, spoilt, depth)
        if "anyOf" in schema:
            return st.one_of(*(self.fitting(one, spoilt, depth) for one in schema["anyOf"]))
        return self._plain(schema, spoilt, depth)

    def _object(self, schema: Any, spoilt: bool, depth: int) -> Values:
        # A field that may be named in either of two ways is named in the first.
        first = schema.get("anyOf", [{}])[0].get("required", [])
        needed = {*schema.get("required", ()), *first}
        must, may = {}, {}
        for name, found in schema["properties"].items():
            made = self.fitting(found, spoilt, depth + 1)
            made = st.one_of(made, _ANY) if spoilt else made
            (must if name in needed and not spoilt else may)[name] = made
        return st.fixed_dictionaries(must, optional=may)

    def _plain(self, schema: Any, spoilt: bool, depth: int) -> Values:
        match schema.get("type"):
            case "integer":
                return st.integers(schema.get("minimum"), schema.get("maximum"))
            case "number":
                lowest, above = schema.get("minimum"), schema.get("exclusiveMinimum")
                return st.floats(lowest if above is None else above + 1, schema.get("maximum"), allow_nan=False)
            case "boolean":
                return st.booleans()
            case "null":
                return st.none()
            case "array" if depth < _DEPTH:
                return st.lists(self.fitting(schema.get("items", {}), spoilt, depth + 1), max_size=3)
            case "array":
                return st.just([])
            case "object":
                return st.dictionaries(_WORDS, _ANY, max_size=3)
            case "string" if "pattern" in schema:
                return st.from_regex(schema["pattern"], fullmatch=True)
            case "string" if schema.get("format") == "date-time":
                return st.datetimes().map(lambda moment: moment.isoformat() + "Z")
            case "string":
                return st.text(min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 40), 40))
        return _ANY
