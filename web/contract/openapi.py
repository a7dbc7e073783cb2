"""The OpenAPI 3.1 document: the app's own routes, with what is known of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from web.auth import ADMIN_COOKIES, COOKIE, OF_A_VISITOR, Scope, policy_of
from web.contract import parameters
from web.contract.operations import JSON, OPERATIONS, PUBLIC, STREAM, Operation
from web.contract.schemas import all_schemas
from web.contract.shapes import Schema, ref
from web.errors import TITLES
from web.tokens import OF_A_TOKEN, OF_A_USER_TOKEN

INFO: dict[str, Any] = {
    "title": "Spanfeed",
    # Of the API, as in its addresses. Which release answers is nobody's business who has no key.
    "version": "1",
    "description": "A chat, and what happens to each of its messages, live.",
    "license": {"name": "Apache License 2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
}
_PROBLEM = "application/problem+json"
_OWN_METHODS = {"HEAD", "OPTIONS"}
_COUNTED = ("RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_HEADERS: dict[str, tuple[Schema, str]] = {
    "X-Request-ID": ({"type": "string"}, "The request's id, under which the log knows more of it."),
    "Retry-After": ({"type": "integer"}, "In how many seconds to come back."),
    "Location": ({"type": "string"}, "Where to find what was made."),
    "ETag": ({"type": "string"}, "For `If-None-Match`."),
    "RateLimit": ({"type": "string"}, "What is left, and when there is more."),
    "RateLimit-Policy": ({"type": "string"}, "The limit, and the seconds for which it holds."),
    "X-RateLimit-Limit": ({"type": "integer"}, "The limit."),
    "X-RateLimit-Remaining": ({"type": "integer"}, "What is left of it."),
    "X-RateLimit-Reset": ({"type": "integer"}, "When it begins anew, in Unix seconds."),
    "WWW-Authenticate": ({"type": "string"}, "`ApiKey`."),
    "Allow": ({"type": "string"}, "The methods that are allowed."),
}
SCHEMES: dict[str, dict[str, str]] = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key, a session token or a user's token."},
    "token": {"type": "apiKey", "in": "query", "name": "token", "description": "A session token or a user's token."},
    "visitor": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "A visitor of the page."},
    "admin": {"type": "apiKey", "in": "cookie", "name": ADMIN_COOKIES[True], "description": "An administrator."},
    "admin_without_tls": {
        "type": "apiKey",
        "in": "cookie",
        "name": ADMIN_COOKIES[False],
        "description": "An administrator, on this machine.",
    },
}
_ALWAYS = ("key", "bearer", "admin", "admin_without_tls")
_AT_MOST = {"token": OF_A_TOKEN | OF_A_USER_TOKEN, "visitor": OF_A_VISITOR}
"""Credentials that never have all scopes."""


def document(app: Flask) -> dict[str, Any]:
    """The whole document; a route of which nothing is known is left out."""
    paths: dict[str, dict[str, Any]] = {}
    for path, method, rule in routes(app):
        operation = OPERATIONS.get(rule.endpoint)
        if operation is not None:
            paths.setdefault(path, {})[method] = _operation(app, path, rule, operation)
    return {
        "openapi": "3.1.0",
        "info": INFO,
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(known.tag for known in OPERATIONS.values())],
        "paths": paths,
        "components": {
            "schemas": all_schemas(),
            "securitySchemes": SCHEMES,
            "headers": {name: {"schema": schema, "description": text} for name, (schema, text) in _HEADERS.items()},
            "responses": {str(status): _problem(status) for status in TITLES},
        },
    }


def routes(app: Flask) -> Iterator[tuple[str, str, Rule]]:
    """Every route of the app but the page's files: its path as OpenAPI writes it, its method in small letters."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if rule.endpoint != "static":
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
            for method in sorted((rule.methods or set()) - _OWN_METHODS):
                yield path, method.lower(), rule


def _operation(app: Flask, path: str, rule: Rule, known: Operation) -> dict[str, Any]:
    view = app.view_functions[rule.endpoint]
    policy = policy_of(view) or "own"
    made: dict[str, Any] = {
        "operationId": rule.endpoint.replace(".", "_") + ("" if path != "/healthz" else "_z"),
        "tags": [known.tag],
        "summary": " ".join((view.__doc__ or "").split()),
        "security": _security(rule.endpoint, policy),
        "parameters": [
            *(parameters.of_path(name) for name in re.findall(r"\{(\w+)\}", path)),
            *(parameters.named(name) for name in known.takes),
        ],
        "responses": _responses(rule.endpoint, policy, known),
    }
    if known.body is not None:
        forms = {JSON: known.body, **known.also}
        content = {media: {"schema": ref(name)} for media, name in forms.items()}
        made["requestBody"] = {"required": not known.body_may_miss, "content": content}
    return made


def _is_open(endpoint: str, policy: str) -> bool:
    return policy == "public" or endpoint in PUBLIC


def _security(endpoint: str, policy: str) -> list[dict[str, list[str]]]:
    """Which credentials will do, each with the scope that it must have; an empty object where none is needed."""
    if policy == "public" or endpoint == "login.login":
        return [{}]
    scopes = [str(Scope.READ)] if endpoint == "feed.session_feed" else [] if policy == "own" else [policy]
    found = [{name: scopes} for name in scheme_names(*map(Scope, scopes))]
    return [*found, {}] if endpoint in PUBLIC else found


def scheme_names(*scopes: Scope) -> list[str]:
    """The credentials that may have all of these scopes."""
    return [*_ALWAYS, *(name for name, most in _AT_MOST.items() if most.issuperset(scopes))]


def _responses(endpoint: str, policy: str, known: Operation) -> dict[str, Any]:
    counted = _COUNTED if known.limited else ()
    good = {str(status): _good(status, name, known, counted) for status, name in known.replies.items()}
    statuses = {500, *known.problems}
    if not _is_open(endpoint, policy) or endpoint in PUBLIC - {"page.page", "page.dashboard"}:
        statuses |= {400, 401, 403, 503}
    if policy in set(Scope):
        statuses.add(406)
    if known.body is not None:
        statuses |= {400, 413, 415, 422}
    if known.limited:
        statuses |= {429, 503}
    problems = {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)}
    return dict(sorted({**problems, **good}.items()))


def _good(status: int, name: str | None, known: Operation, counted: tuple[str, ...]) -> dict[str, Any]:
    # Whoever serves a feed writes its head by hand, and shortly.
    told = [] if known.media == STREAM or status == 101 else ["X-Request-ID", *counted]
    if "If-None-Match" in known.takes:
        told.append("ETag")
    if status == known.located:
        told.append("Location")
    made: dict[str, Any] = {
        "description": _DESCRIPTIONS.get(status, "Done."),
        "headers": {header: {"$ref": f"#/components/headers/{header}"} for header in told},
    }
    if name is not None:
        made["content"] = {known.media: {"schema": ref(name)}}
    elif status == 200:
        made["content"] = {known.media: {"schema": {"type": "string"}}}
    return made


_DESCRIPTIONS = {
    101: "The feed is open: frames of the WebSocket protocol follow.",
    200: "The answer.",
    201: "It was made.",
    202: "It was accepted, and is done later.",
    304: "Nothing has changed.",
    503: "Not everything is there.",
}


def _problem(status: int) -> dict[str, Any]:
    told = ["X-Request-ID"]
    told += {401: ["WWW-Authenticate"], 405: ["Allow"], 429: ["Retry-After", *_COUNTED], 503: ["Retry-After"]}.get(
        status, []
    )
    return {
        "description": TITLES[status] + ".",
        "headers": {header: {"$ref": f"#/components/headers/{header}"} for header in told},
        "content": {_PROBLEM: {"schema": ref("Problem")}},
    }
