"""The documents as a page for people, drawn here: it loads nothing from elsewhere and runs no script."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from flask import Flask

from web.contract import asyncapi, openapi
from web.contract.shapes import Schema

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Spanfeed: the API</title>
<link rel="stylesheet" href="/static/docs/docs.css">
</head>
<body>
<h1>Spanfeed: the API</h1>
<p>This page shows what stands in two documents for programs: <a href="/api/v1/openapi.json">OpenAPI</a> for requests
and <a href="/api/v1/asyncapi.json">AsyncAPI</a> for feeds.</p>
"""
_FOOT = "</body>\n</html>\n"
Texts = Iterable[str]


def page(app: Flask) -> str:
    """The page as HTML."""
    routes, feeds = openapi.document(app), asyncapi.document(app)
    tags = [tag["name"] for tag in routes["tags"]]
    links = [
        *((f"#{_anchor(tag)}", tag) for tag in tags),
        ("#feeds-live", "Messages of feeds"),
        ("#schemas", "Schemas"),
    ]
    return "".join(
        [
            _HEAD,
            "<nav><ul>",
            *(f'<li><a href="{link}">{escape(name)}</a></li>' for link, name in links),
            "</ul></nav>\n<main>\n",
            *(part for tag in tags for part in _tag(tag, routes["paths"])),
            *_feeds(feeds),
            '<h2 id="schemas">Schemas</h2>\n',
            *(part for name, schema in routes["components"]["schemas"].items() for part in _schema(name, schema)),
            "</main>\n",
            _FOOT,
        ]
    )


def _anchor(text: str) -> str:
    return escape(text.lower().replace(" ", "-"))


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Texts:
    """A table of cells that are HTML; nothing where there are no rows."""
    cells = ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    if not cells:
        return []
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    return [
        f"<table><thead><tr>{head}</tr></thead><tbody>",
        *(f"<tr>{row}</tr>" for row in cells),
        "</tbody></table>\n",
    ]


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _tag(tag: str, paths: dict[str, Any]) -> Texts:
    yield f'<h2 id="{_anchor(tag)}">{escape(tag)}</h2>\n'
    for path, item in paths.items():
        for method, operation in item.items():
            if tag in operation["tags"]:
                yield from _operation(f"{method.upper()} {path}", operation)


def _operation(name: str, operation: dict[str, Any]) -> Texts:
    yield f'<h3 id="{_anchor(operation["operationId"])}">{escape(name)}</h3>\n'
    yield f"<p>{escape(operation['summary'])} {_needs(operation['security'])}</p>\n"
    yield from _table(
        ("Parameter", "In", "What", "Meaning"),
        (
            (_code(one["name"]), one["in"], kind(one["schema"]), escape(one.get("description", "")))
            for one in operation["parameters"]
        ),
    )
    forms = operation.get("requestBody", {}).get("content", {})
    yield from _table(("Body", "What"), ((_code(media), kind(form["schema"])) for media, form in forms.items()))
    good = {status: reply for status, reply in operation["responses"].items() if "$ref" not in reply}
    refused = ", ".join(status for status in operation["responses"] if status not in good)
    problem = kind({"$ref": "#/components/schemas/Problem"})
    yield from _table(("Status", "Reply"), [*((one, _reply(good[one])) for one in good), (refused, problem)])


def _needs(security: list[dict[str, list[str]]]) -> str:
    scopes = {scope for one in security for names in one.values() for scope in names}
    if scopes:
        return f"Needs {escape(', '.join(sorted(scopes)))}."
    return "Needs no key." if {} in security else "Needs a credential of any kind."


def _reply(reply: dict[str, Any]) -> str:
    forms = reply.get("content", {})
    return "; ".join(f"{_code(media)}: {kind(form['schema'])}" for media, form in forms.items()) or "no body"


def _feeds(document: dict[str, Any]) -> Texts:
    yield '<h2 id="feeds-live">Messages of feeds</h2>\n'
    messages = document["components"]["messages"]
    for name, operation in document["operations"].items():
        channel = document["channels"][operation["channel"]["$ref"].rpartition("/")[2]]
        says = "the server says" if operation["action"] == "send" else "the client may say"
        yield f'<h3 id="{_anchor(name)}">{escape(channel["address"])}: {says}</h3>\n'
        yield f"<p>{escape(channel['title'])}.</p>\n"
        told = [messages[one["$ref"].rpartition("/")[2]] for one in operation["messages"]]
        yield from _table(
            ("Message", "Meaning", "Fields"),
            ((_code(one["name"]), escape(one["summary"]), kind(one["payload"])) for one in told),
        )


def _schema(name: str, schema: Schema) -> Texts:
    yield f'<h3 id="schema-{_anchor(name)}">{escape(name)}</h3>\n'
    if "description" in schema:
        yield f"<p>{escape(schema['description'])}</p>\n"
    if "properties" not in schema:
        yield f"<p>{kind(schema)}</p>\n"
    needed = set(schema.get("required", ()))
    yield from _table(
        ("Field", "What", ""),
        (
            (_code(field), kind(found), "always" if field in needed else "")
            for field, found in schema.get("properties", {}).items()
        ),
    )


def kind(schema: Schema) -> str:
    """What may stand there, in words, as HTML."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{_anchor(name)}">{escape(name)}</a>'
    for word in ("anyOf", "oneOf"):
        if word in schema and "properties" not in schema:
            return " or ".join(kind(one) for one in schema[word])
    if "enum" in schema or "const" in schema:
        return " or ".join(_code(str(one)) for one in schema.get("enum", [schema.get("const")]))
    if "properties" in schema:
        return ", ".join(f"{_code(name)}: {kind(found)}" for name, found in schema["properties"].items())
    found = schema.get("type", "anything")
    words = " or ".join(found) if isinstance(found, list) else str(found)
    if words == "array":
        return f"list of {kind(schema.get('items', {}))}"
    return escape(" ".join([words, *_bounds(schema)]))


def _bounds(schema: Schema) -> Texts:
    told = {
        "format": "({})",
        "pattern": "like {}",
        "minimum": "from {}",
        "maximum": "to {}",
        "minLength": "of at least {} characters",
        "maxLength": "of at most {} characters",
    }
    return [text.format(schema[name]) for name, text in told.items() if name in schema]
