"""Every administrative act stands in the audit trail and is told as an audit event; a refused one is neither."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from pipeline.store import audit
from tests.parts.stack import KEY
from tests.web.site import ADMIN_KEY, APP_KEY, Site
from tests.web.test_told_sign_ins import everything, told
from web.cli import main

FROM = {"REMOTE_ADDR": "192.0.2.77"}


def newest(site: Site) -> Any:
    """The newest entry of the trail."""
    [entry] = audit.newest(site.store, 1)
    return entry


def check(site: Site, action: str, object_type: str, object_id: str, actor: str = "key:admin") -> dict[str, Any]:
    """The newest entry and the newest event of the act say the same; gives the event's data."""
    entry = newest(site)
    assert (entry.actor, entry.action, entry.object_type, entry.object_id, entry.outcome) == (
        actor,
        action,
        object_type,
        object_id,
        "done",
    )
    event = told(site, action)[-1]
    data = event["event_data"]
    assert (event["category"], event["metadata"]["audience"]) == ("audit", "operator")
    assert (data["actor"], data["resource_id"], data["success"], data["entry"]) == (
        actor,
        object_id,
        True,
        entry.number,
    )
    details = json.loads(entry.details)
    assert (details["ip_address"], details["request_id"]) == ("192.0.2.77", data["request_id"])
    assert data["ip_address"] == "192.0.2.77"
    return dict(data)


def ask(site: Site, method: str, path: str, key: str = ADMIN_KEY, **more: Any) -> Any:
    """A request from a certain address."""
    return site.ask(method, path, key, environ_base=FROM, **more)


def test_keys_that_are_made_rotated_and_revoked(site: Site) -> None:
    """Without this nobody could find out who had let somebody in; or the trail itself would let them in."""
    made = ask(site, "POST", "/api/v1/keys", json={"name": "shop", "scopes": ["events:read"]}).json
    data = check(site, "keys.create", "key", made["id"])
    assert data["details"] == {"name": "shop", "scopes": ["events:read"], "user_id": None, "expires_at": None}
    new = ask(site, "POST", f"/api/v1/keys/{made['id']}/rotate").json
    data = check(site, "keys.rotate", "key", made["id"])
    assert data["details"]["new_key_id"] == new["id"]
    assert ask(site, "DELETE", f"/api/v1/keys/{made['id']}").status_code == 200
    check(site, "keys.revoke", "key", made["id"])
    kept = everything(site.bus) + "".join(e.details for e in audit.entries(site.store)).encode()
    for key in (made["key"], new["key"]):
        assert key.encode() not in kept
        assert key.rpartition("_")[2].encode() not in kept


def test_a_session_that_is_deleted(site: Site, session_id: str) -> None:
    """Without this nobody could find out who took a conversation away."""
    site.say(session_id, owner="anna")
    assert ask(site, "DELETE", f"/chat/{session_id}", KEY).status_code == 200
    assert check(site, "sessions.delete", "session", session_id, "key:main")["details"] == {"owner": "anna"}


def test_an_event_type_that_is_changed(site: Site) -> None:
    """Without this nobody could find out why an application's events are refused since yesterday."""
    for action in ("create", "update"):
        ask(site, "POST", "/api/v1/event-types", json={"event_type": "custom.order"})
        check(site, f"event_type.{action}", "event_type", "custom.order")
    ask(site, "DELETE", "/api/v1/event-types/custom.order")
    check(site, "event_type.delete", "event_type", "custom.order")


REFUSED = {
    "no key": (None, "POST", "/api/v1/keys", 401),
    "a wrong key": ("sf_wrong", "POST", "/api/v1/keys", 401),
    "a key that may not": (APP_KEY, "POST", "/api/v1/keys", 403),
    "a body that is none": (ADMIN_KEY, "POST", "/api/v1/keys", 422),
    "no such key": (ADMIN_KEY, "DELETE", "/api/v1/keys/nokeyabc", 404),
    "no such session": (KEY, "DELETE", "/chat/no-such-session", 404),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_request_leaves_no_entry(site: Site, name: str) -> None:
    """Without this strangers could fill the trail, and acts that were never done would stand in it."""
    key, method, path, status = REFUSED[name]
    before = len(list(audit.entries(site.store)))
    reply = site.ask(method, path, key, environ_base=FROM, **({"json": {}} if method == "POST" else {}))
    assert reply.status_code == status
    assert len(list(audit.entries(site.store))) == before


def test_commands_tell_operators_what_they_have_done(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this a key that was made on the server's own shell would be seen by nobody."""
    for name, value in site.settings.environment().items():
        monkeypatch.setenv(name, value)
    run = CliRunner()
    assert run.invoke(main, ["keys", "create", "shop", "--scope", "admin"]).exit_code == 0
    entry = newest(site)
    assert (entry.action, len(entry.object_id)) == ("keys.create", 8)
    assert run.invoke(main, ["keys", "rotate", entry.object_id]).exit_code == 0
    assert run.invoke(main, ["keys", "revoke", entry.object_id]).exit_code == 0
    assert run.invoke(main, ["keys", "revoke", "nokeyabc"]).exit_code == 1
    words = ["admin", "create", "ada"]
    assert run.invoke(main, words, input="a long password\na long password\n").exit_code == 0
    found = [(e.action, e.outcome) for e in audit.newest(site.store, 5)]
    assert found == [
        ("administrators.create", "done"),
        ("keys.revoke", "failed"),
        ("keys.revoke", "done"),
        ("keys.rotate", "done"),
        ("keys.create", "done"),
    ]
    events = told(site, "keys.revoke", "administrators.create")[-3:]
    assert [e["event_data"]["outcome"] for e in events] == ["done", "failed", "done"]
    assert events[1]["priority"] == "high"
    assert {e["event_data"]["actor"] for e in events} == {entry.actor}
    assert b"a long password" not in everything(site.bus)
