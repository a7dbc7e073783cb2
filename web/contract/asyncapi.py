"""The AsyncAPI 3.0 document: the feeds, with the messages that go over each in both directions."""

from __future__ import annotations

import dataclasses
from typing import Any

from flask import Flask

from web.contract import frames, parameters, replies
from web.contract.openapi import INFO, SCHEMES, scheme_names
from web.contract.shapes import Schema, thing
from web.policy import Scope

Told = dict[str, tuple[str, Schema]]
_JSON = "application/json"
_QUERY = ("after", "epoch", *parameters.FILTERS)
_EVENT: Told = {"event": ("Something has happened; the message has no name.", {"$ref": "#/components/schemas/Event"})}


@dataclasses.dataclass(frozen=True)
class Feed:
    """One kind of feed; `heard` is what its clients may say."""

    address: str
    title: str
    sent: Told
    scope: Scope = Scope.READ
    heard: Told = dataclasses.field(default_factory=dict)
    query: tuple[str, ...] = _QUERY

    @property
    def told(self) -> dict[str, Told]:
        """What is said by whom: `send` by the server, `receive` by the client."""
        return {"send": self.sent, **({"receive": self.heard} if self.heard else {})}


FEEDS = {
    "session": Feed(
        "/chat/ws/events/{session_id}",
        "A session's feed as a WebSocket",
        {**frames.FROM_SERVER, **frames.WEBSOCKET_ONLY},
        heard=frames.FROM_CLIENT,
    ),
    "stream": Feed(
        "/chat/events/{session_id}/stream",
        "A session's feed as Server-Sent Events",
        {**frames.FROM_SERVER, **_EVENT, "expired": frames.EXPIRED},
    ),
    "user": Feed(
        "/api/v1/events/stream",
        "A user's events of all sessions, as Server-Sent Events",
        frames.unified(for_operators=False),
        query=(*_QUERY, "user_id"),
    ),
    "operators": Feed(
        "/api/v1/events/admin/stream",
        "Every event, as Server-Sent Events",
        frames.unified(for_operators=True),
        Scope.ADMIN,
    ),
}


def document(app: Flask) -> dict[str, Any]:
    """The whole document, which is the same for every app."""
    del app
    return {
        "asyncapi": "3.0.0",
        "info": INFO,
        "defaultContentType": _JSON,
        "channels": {name: _channel(name, feed) for name, feed in FEEDS.items()},
        "operations": {
            f"{name}_{action}": _operation(name, feed, action) for name, feed in FEEDS.items() for action in feed.told
        },
        "components": {
            "schemas": {"Event": replies.EVENT},
            "messages": {
                _full(name, kind): _message(kind, text, payload)
                for name, feed in FEEDS.items()
                for told in feed.told.values()
                for kind, (text, payload) in told.items()
            },
            "securitySchemes": {name: _scheme(scheme) for name, scheme in SCHEMES.items()},
        },
    }


def _full(name: str, kind: str) -> str:
    return f"{name}.{kind}"


def _channel(name: str, feed: Feed) -> dict[str, Any]:
    made: dict[str, Any] = {"address": feed.address, "title": feed.title}
    if "{session_id}" in feed.address:
        made["parameters"] = {"session_id": {"description": "1 to 64 of `A-Z a-z 0-9 . _ : @ -`."}}
    if feed.heard:
        made["bindings"] = {"ws": {"method": "GET", "query": _query(feed), "bindingVersion": "0.1.0"}}
    kinds = [kind for told in feed.told.values() for kind in told]
    made["messages"] = {_full(name, kind): {"$ref": f"#/components/messages/{_full(name, kind)}"} for kind in kinds}
    return made


def _operation(name: str, feed: Feed, action: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "action": action,
        "channel": {"$ref": f"#/channels/{name}"},
        "security": [{"$ref": f"#/components/securitySchemes/{one}"} for one in scheme_names(feed.scope)],
        "messages": [{"$ref": f"#/channels/{name}/messages/{_full(name, kind)}"} for kind in feed.told[action]],
    }
    if not feed.heard:
        made["bindings"] = {"http": {"method": "GET", "query": _query(feed), "bindingVersion": "0.3.0"}}
    return made


def _query(feed: Feed) -> Schema:
    """The parameters of the address, as the properties of an object."""
    told = [parameters.named(name) for name in feed.query]
    return thing({one["name"]: {**one["schema"], "description": one["description"]} for one in told})


def _message(kind: str, text: str, payload: Schema) -> dict[str, Any]:
    """A message; of Server-Sent Events its name is the one that stands behind `event:`."""
    media = "text/plain" if kind.endswith("_text") else _JSON
    return {"name": kind, "title": kind, "summary": text, "contentType": media, "payload": payload}


def _scheme(scheme: dict[str, str]) -> dict[str, str]:
    """In the words of AsyncAPI, which keeps `apiKey` for other things."""
    return {**scheme, "type": "httpApiKey"} if scheme["type"] == "apiKey" else scheme
