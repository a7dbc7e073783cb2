"""The OpenAPI document names every route as it is, and is what programs take for one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.web.contract_reader import references
from tests.web.site import Site
from web.auth import policy_of
from web.contract.openapi import routes
from web.contract.operations import OPERATIONS, PUBLIC

# The OpenAPI Initiative's own schema of version 3.1, under the Apache License 2.0.
_META = json.loads((Path(__file__).parent / "openapi-3.1.schema.json").read_text(encoding="utf-8"))
_SCOPES = {"Read", "Write", "Delete", "Admin", "Events"}


@pytest.fixture(scope="module")
def document(site: Site) -> Any:
    """The document, as anybody gets it."""
    reply = site.get("/api/v1/openapi.json", key=None)
    assert reply.status_code == 200
    return reply.json


def _operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def test_every_route_is_in_the_document_and_nothing_else(document: Any, site: Site) -> None:
    """Without this a program that is made from the document could not call a route, or would call one that is gone."""
    real = {(path, method) for path, method, _ in routes(site.app)}
    assert {(path, method) for path, method, _ in _operations(document)} == real
    endpoints = {rule.endpoint for rule in site.app.url_map.iter_rules()} - {"static"}
    assert set(OPERATIONS) == endpoints
    assert endpoints >= PUBLIC


def test_the_document_is_openapi(document: Any) -> None:
    """Without this editors and generators would refuse the document."""
    assert [f"{e.json_path}: {e.message[:200]}" for e in Draft202012Validator(_META).iter_errors(document)] == []
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_what_the_document_refers_to_is_in_it(document: Any) -> None:
    """Without this a generator would stop at a name that means nothing."""
    for reference in set(references(document)):
        found = document
        for part in reference.removeprefix("#/").split("/"):
            assert part in found, reference
            found = found[part]
    schemes = set(document["components"]["securitySchemes"])
    named = {name for _, _, operation in _operations(document) for one in operation["security"] for name in one}
    assert named == schemes


def test_operations_have_names_of_their_own_and_all_their_parameters(document: Any) -> None:
    """Without this a generator would make two functions of one name, or one that cannot say for which session."""
    names = [operation["operationId"] for _, _, operation in _operations(document)]
    assert len(set(names)) == len(names)
    for path, _, operation in _operations(document):
        given = [(one["in"], one["name"]) for one in operation["parameters"]]
        assert len(set(given)) == len(given), path
        assert {name for place, name in given if place == "path"} == set(re.findall(r"\{(\w+)\}", path))
        assert operation["summary"].endswith("."), path


def test_who_may_call_a_route_is_what_the_route_asks_for(document: Any, site: Site) -> None:
    """Without this somebody would make a key with a scope that does not open what they need."""
    for path, method, rule in routes(site.app):
        security = document["paths"][path][method]["security"]
        policy = policy_of(site.app.view_functions[rule.endpoint])
        if policy in _SCOPES:
            assert {scope for one in security for scopes in one.values() for scope in scopes} == {policy}, path
            assert {} not in security
            assert ({"token": [policy]} in security) == (policy in {"Read", "Write", "Events"})
        elif policy == "public":
            assert security == [{}]


def test_every_counted_route_tells_of_its_limit(document: Any, site: Site) -> None:
    """Without this a program would not know how to find out when it may come again."""
    for path, method, operation in _operations(document):
        is_limited = OPERATIONS[_endpoint(site, path, method)].limited
        assert ("429" in operation["responses"]) == is_limited, path
    reply = site.get("/api/v1/me")
    described = document["paths"]["/api/v1/me"]["get"]["responses"]["200"]["headers"]
    assert {"RateLimit", "RateLimit-Policy", "X-RateLimit-Remaining", "X-Request-ID"} <= set(described)
    assert set(described) <= set(reply.headers.keys())


def _endpoint(site: Site, path: str, method: str) -> str:
    return next(rule.endpoint for one, verb, rule in routes(site.app) if (one, verb) == (path, method))


def test_the_document_is_sent_once(site: Site) -> None:
    """Without this a tool that looks for changes would load 120 kB each time."""
    first = site.get("/api/v1/openapi.json", key=None)
    again = site.get("/api/v1/openapi.json", key=None, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
