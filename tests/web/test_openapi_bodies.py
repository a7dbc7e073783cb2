"""What the document says of a field, where a function and no model checks it, is what is really checked."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.contract_reader import ContractReader
from tests.web.site import ADMIN_KEY, Site, assert_problem

_EVENT = {"event_type": "custom.x"}
_URL = {"url": "https://hooks.example.org/x"}
CASES: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("/chat/", "ChatRequest", {"message": "Hi"}, {"session_id": "a b"}),
    ("/chat/", "ChatRequest", {"message": "Hi"}, {"session_id": "a..b"}),
    ("/chat/", "ChatRequest", {"message": "Hi"}, {"message": ""}),
    ("/api/v1/keys", "NewKey", {"name": "n", "scopes": ["admin"]}, {"scopes": ["all"]}),
    ("/api/v1/keys", "NewKey", {"name": "n", "scopes": ["admin"]}, {"scopes": []}),
    ("/api/v1/keys", "NewKey", {"name": "n", "scopes": ["admin"]}, {"more": 1}),
    ("/api/v1/events", "NewEvent", _EVENT, {"event_type": "a b"}),
    ("/api/v1/events", "NewEvent", _EVENT, {"session_id": "a b"}),
    ("/api/v1/events", "NewEvent", _EVENT, {"id": ""}),
    ("/api/v1/event-types", "EventTypeDefinition", {"event_type": "own.body"}, {"event_type": "a b"}),
    ("/api/v1/subscriptions", "SubscriptionWanted", _URL, {"session_id": "a..b"}),
    ("/api/v1/subscriptions", "SubscriptionWanted", _URL, {"categories": ["none"]}),
]


@pytest.mark.parametrize(("path", "name", "good", "wrong"), CASES)
def test_what_does_not_fit_is_refused_by_both(
    site: Site, path: str, name: str, good: dict[str, Any], wrong: dict[str, Any]
) -> None:
    """Without this an editor would let somebody write what the server refuses, or mark what it takes."""
    reader = ContractReader(site.get("/api/v1/openapi.json").json)
    schema = {"$ref": f"#/components/schemas/{name}"}
    assert reader.faults(schema, good) == []
    assert reader.faults(schema, good | wrong) != []
    assert_problem(site.post(path, ADMIN_KEY, json=good | wrong), 422)
    if path != "/chat/":
        assert site.post(path, ADMIN_KEY, json=good).status_code in {200, 201}


def test_an_event_may_be_named_in_either_way(site: Site) -> None:
    """Without this whoever writes `type` would be told by their editor that a field is missing."""
    reader = ContractReader(site.get("/api/v1/openapi.json").json)
    schema = {"$ref": "#/components/schemas/NewEvent"}
    assert reader.faults(schema, {"type": "custom.x", "unified_event_id": "e-1"}) == []
    assert reader.faults(schema, {"data": {}}) != []
