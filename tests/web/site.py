"""The web app inside the test's own process, on a real Valkey and a SQLite file."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any, cast

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from pipeline import settings as settings_table
from pipeline.bus import Bus
from pipeline.event import Category, Identity, Priority, State, Status
from pipeline.store import conversations, migrate
from tests.parts.stack import KEY
from web import create_app
from web.recorder import Recorder
from web.state import WebState

APP_KEY = "govstack-key-of-an-application"
ADMIN_KEY = "govstack-key-of-an-administrator"
SECRET = "a secret that is long enough for a test of the web"


def emit(
    bus: Bus,
    session_id: str,
    count: int = 1,
    event_type: str = "agent_thinking",
    status: Status = Status.STARTED,
    **more: Any,
) -> list[int]:
    """Appends events of one kind to a session and gives their ids."""
    identity = Identity(
        event_type,
        more.get("category", Category.WORKFLOW),
        more.get("priority", Priority.NORMAL),
        session_id=session_id,
        message_id=more.get("message_id", "m-1"),
    )
    return [
        bus.append(
            identity,
            State(status, more.get("text", "said"), more.get("data", {"n": number})),
            emitter_key=uuid.uuid4().hex,
        )
        for number in range(count)
    ]


class Site:
    """An app with its bus and its database."""

    def __init__(self, home: Path, redis_url: str, **environment: str) -> None:
        self.settings = settings_table.load(
            {
                "SPANFEED_HOME": str(home),
                "REDIS_URL": redis_url,
                "SPANFEED_API_KEY": KEY,
                "GOVSTACK_API_KEY": APP_KEY,
                "GOVSTACK_ADMIN_API_KEY": ADMIN_KEY,
                "SPANFEED_SECRET_KEY": SECRET,
                "SPANFEED_EMIT_DEADLINE_MS": "5000",
                "SPANFEED_MESSAGES_PER_MINUTE": "100000",
                "SPANFEED_REQUESTS_PER_MINUTE": "100000",
                **environment,
            }
        )
        self.app = create_app(self.settings)
        self.state = cast(WebState, self.app.extensions["spanfeed"])
        self.bus, self.store = self.state.bus, self.state.store

    def migrated(self) -> Site:
        """Brings the database to the newest schema."""
        migrate.upgrade(self.store)
        return self

    def browser(self) -> FlaskClient:
        """A client that keeps cookies."""
        return self.app.test_client()

    def ask(self, method: str, path: str, key: str | None = KEY, **more: Any) -> TestResponse:
        """One request, without cookies; `key` goes into X-API-Key."""
        headers = {**({"X-API-Key": key} if key is not None else {}), **more.pop("headers", {})}
        client = self.app.test_client(use_cookies=False)
        return client.open(path, method=method, headers=headers, buffered=True, **more)

    def get(self, path: str, key: str | None = KEY, **more: Any) -> TestResponse:
        """A GET."""
        return self.ask("GET", path, key, **more)

    def post(self, path: str, key: str | None = KEY, **more: Any) -> TestResponse:
        """A POST."""
        return self.ask("POST", path, key, **more)

    def page(self, session_id: str, **query: Any) -> dict[str, Any]:
        """A page of the session's events."""
        reply = self.get(f"/chat/events/{session_id}", query_string=query)
        assert reply.status_code == 200, reply.text
        return cast(dict[str, Any], reply.json)

    def ids(self, session_id: str, **query: Any) -> list[int]:
        """The ids of a page."""
        return [event["id"] for event in self.page(session_id, **query)["events"]]

    def emit(self, session_id: str, count: int = 1, event_type: str = "agent_thinking", **more: Any) -> list[int]:
        """See `emit`."""
        return emit(self.bus, session_id, count, event_type, **more)

    def recorder(self) -> Recorder:
        """A recorder on this site's bus and database."""
        return Recorder(self.settings, self.bus, self.store)

    def say(self, session_id: str, content: str = "hello?", owner: str = "key:main", **more: Any) -> str:
        """Stores a user's message as accepted, with its session, and gives its id; nothing is sent."""
        message_id = str(uuid.uuid4())
        fields: dict[str, Any] = {"language": "en", "user_id": None, "collection": None, "metadata": None, **more}
        conversations.accept_message(
            self.store,
            session_id=session_id,
            message_id=message_id,
            content=content,
            owner=owner,
            trace_id="0" * 31 + "1",
            **fields,
        )
        return message_id

    def close(self) -> None:
        """Ends the connections."""
        self.state.listener.close()
        self.store.close()
        self.bus.close_connections()
        self.state.tracing.shutdown()


def assert_problem(reply: TestResponse, status: int, slug: str | None = None) -> Any:
    """Checks that the reply is a problem of RFC 9457 and gives its `detail`."""
    assert reply.status_code == status, reply.text
    assert reply.content_type == "application/problem+json"
    body = cast(dict[str, Any], reply.json)
    assert body["status"] == status
    assert body["type"].startswith("urn:spanfeed:problem:")
    assert body["title"]
    assert body["instance"].startswith("/requests/")
    if slug is not None:
        assert body["type"] == f"urn:spanfeed:problem:{slug}"
    return body["detail"]
