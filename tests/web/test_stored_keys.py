"""Stored keys: made, shown once, rotated, revoked within a second, and cheap to check."""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import event, text

from pipeline.store import keys as stored
from tests.parts.stack import KEY, Stack
from tests.parts.waiting import wait_for
from tests.web.site import ADMIN_KEY, APP_KEY, Site, assert_problem
from web.cli import main
from web.keyring import KeyRing, Locksmith

FORM = re.compile(r"sf_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}")
READ = {"name": "a reader", "scopes": ["events:read"]}


def _make(site: Site, **body: Any) -> dict[str, Any]:
    reply = site.post("/api/v1/keys", ADMIN_KEY, json={**READ, **body})
    assert reply.status_code == 201, reply.text
    return dict(reply.json or {})


def _opens(site: Site, key: str) -> bool:
    status = site.get("/chat/events/s", key).status_code
    assert status in {200, 401}
    return status == 200


def _refused_soon(site: Site, key: str) -> None:
    began = time.monotonic()
    wait_for(lambda: not _opens(site, key), "the key's end", 10)
    assert time.monotonic() - began < 5


def test_a_key_is_shown_once_and_only_its_digest_is_stored(site: Site) -> None:
    """Whoever reads the database, or lists the keys, could use them."""
    made = _make(site, name="once", user_id="anna", scopes=["chat:write", "events:read"])
    key = made.pop("key")
    assert FORM.fullmatch(key)
    assert made["id"] == key[3:11]
    listed = site.get("/api/v1/keys", ADMIN_KEY)
    assert key[12:] not in listed.text
    [row] = [row for row in (listed.json or {})["keys"] if row["id"] == made["id"]]
    assert {**row, "last_used_at": None} == made
    assert (row["name"], row["user_id"], row["created_by"]) == ("once", "anna", "key:admin")
    assert row["scopes"] == ["chat:write", "events:read"]
    with site.store.read() as connection:
        assert key[12:] not in str(connection.execute(text("SELECT * FROM api_keys")).all())


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scopes": ["root"]}, "scopes"),
        ({"scopes": ["events:read", "root"]}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"scopes": "admin"}, "scopes"),
        ({"scope": ["root"]}, "scope"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": 7}, "name"),
        ({"user_id": ""}, "user_id"),
        ({"user_id": "key:main"}, "user_id"),
        ({"user_id": "visitor:1"}, "user_id"),
        ({"user_id": "x" * 129}, "user_id"),
        ({"role": "admin"}, "role"),
        ({"digest": "0" * 64}, "digest"),
    ],
)
def test_a_key_that_cannot_be_is_refused(site: Site, body: dict[str, Any], field: str) -> None:
    """A key would open more, or for longer, than its maker believes."""
    before = len(stored.listed(site.store))
    detail = assert_problem(site.post("/api/v1/keys", ADMIN_KEY, json={**READ, **body}), 422)
    assert detail[0]["loc"][:2] == ["body", field]
    assert len(stored.listed(site.store)) == before


def test_only_an_administrator_makes_keys(site: Site) -> None:
    """Any key could make itself a better one."""
    reader = _make(site)["key"]
    for key in (APP_KEY, reader):
        reply = site.post("/api/v1/keys", key, json={"name": "n", "scopes": ["admin"]})
        assert assert_problem(reply, 403, "insufficient_scope") == "Admin permission required"


@pytest.mark.parametrize("change", [lambda k: k[:-1], lambda k: k + "x", str.lower, lambda k: k[:-1] + "_"])
def test_a_key_that_is_nearly_right_opens_nothing(site: Site, change: Callable[[str], str]) -> None:
    """A key could be found by trying."""
    key = _make(site)["key"]
    assert_problem(site.get("/chat/events/s", change(key)), 401, "unauthenticated")
    swapped = key[:12] + ("A" if key[12] != "A" else "B") + key[13:]
    assert assert_problem(site.get("/chat/events/s", swapped), 401) == "Invalid API key"
    assert_problem(site.get("/chat/events/s", None, query_string={"token": key}), 401, "unauthenticated")


def test_malformed_unknown_revoked_and_expired_keys_look_the_same(site: Site) -> None:
    """An attacker could tell which key was once good."""
    unknown = "sf_" + "A" * 8 + "_" + "B" * 43
    revoked, expired = _make(site), _make(site)
    site.ask("DELETE", f"/api/v1/keys/{revoked['id']}", ADMIN_KEY)
    site.post(f"/api/v1/keys/{expired['id']}/rotate", ADMIN_KEY, json={"overlap_seconds": 0})
    for key in (revoked["key"], expired["key"]):
        _refused_soon(site, key)
    bodies = []
    for key in ("sf_bad", unknown, revoked["key"], expired["key"]):
        reply = site.get("/chat/events/s", key)
        assert reply.status_code == 401
        bodies.append({**(reply.json or {}), "instance": ""})
    assert bodies[1:] == bodies[:1] * 3


def test_a_revoked_key_opens_nothing_more_in_another_process_either(server: Stack) -> None:
    """Whoever has stolen a key would go on using it after it was revoked."""
    locksmith = Locksmith(server.settings(), server.store)
    key, row = locksmith.create("stolen", ["events:read"], "test")
    with server.client() as client:

        def asked() -> int:
            return client.get("/chat/events/s", headers={"X-API-Key": key}).status_code

        wait_for(lambda: asked() == 200, "the new key")
        token = client.post("/chat/s/token", headers={"X-API-Key": key}).json()["token"]
        assert client.get("/chat/events/s", headers={"X-API-Key": token}).status_code == 200
        locksmith.revoke(row.key_id)
        revoked_at = time.monotonic()
        began = revoked_at
        while asked() == 200:
            began = time.monotonic()
            assert began < revoked_at + 30
        # The last request that was let in had begun by then.
        assert began - revoked_at <= 1.0
        assert client.get("/chat/events/s", headers={"X-API-Key": token}).status_code == 401, "its token lives on"
    assert key[12:] not in server.log("web")


def test_a_rotated_key_and_its_successor_live_side_by_side(site: Site) -> None:
    """A rotation would cut off every server that does not have the new key yet."""
    first = _make(site, scopes=["events:read", "chat:write"], user_id="anna")
    reply = site.post(f"/api/v1/keys/{first['id']}/rotate", ADMIN_KEY)
    assert reply.status_code == 201, reply.text
    second = dict(reply.json or {})
    same = ("name", "scopes", "user_id", "line")
    assert [second[name] for name in same] == [first[name] for name in same]
    session_id = f"of-{second['id']}"
    site.say(session_id, owner="anna")
    for key in (first["key"], second["key"]):
        wait_for(lambda key=key: site.get(f"/chat/{session_id}", key).status_code == 200, "both keys")  # type: ignore[misc]
    assert_problem(site.post(f"/api/v1/keys/{first['id']}/rotate", ADMIN_KEY), 409, "not_rotatable")
    third = dict(site.post(f"/api/v1/keys/{second['id']}/rotate", ADMIN_KEY).json or {})
    _refused_soon(site, first["key"])
    for key in (second["key"], third["key"]):
        assert site.get(f"/chat/{session_id}", key).status_code == 200


def test_a_rotation_without_overlap_ends_the_old_key(site: Site) -> None:
    """After a leak the old key would live on for a day."""
    first = _make(site)
    assert _opens(site, first["key"])
    reply = site.post(f"/api/v1/keys/{first['id']}/rotate", ADMIN_KEY, json={"overlap_seconds": 0})
    _refused_soon(site, first["key"])
    assert _opens(site, (reply.json or {})["key"])


@pytest.mark.parametrize("body", [{"overlap_seconds": -1}, {"overlap_seconds": "1"}, {"overlap": 1}])
def test_a_rotation_that_makes_no_sense_is_refused(site: Site, body: dict[str, Any]) -> None:
    """The old key would live for another time than its owner believes."""
    made = _make(site)
    assert_problem(site.post(f"/api/v1/keys/{made['id']}/rotate", ADMIN_KEY, json=body), 422)
    assert _opens(site, made["key"])


def test_a_rotation_never_lengthens_a_keys_life(site: Site) -> None:
    """A key for a week could be stretched for ever by whoever may only rotate it."""
    ends = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=7)).isoformat()
    made = _make(site, expires_at=ends)
    second = site.post(f"/api/v1/keys/{made['id']}/rotate", ADMIN_KEY).json or {}
    assert second["expires_at"] == made["expires_at"]


@pytest.mark.parametrize("key_id", ["AAAAAAAA", "x", "'%20OR%201=1--"])
def test_an_unknown_key_is_not_found(site: Site, key_id: str) -> None:
    """A typing error would be taken for success."""
    assert assert_problem(site.ask("DELETE", f"/api/v1/keys/{key_id}", ADMIN_KEY), 404) == "Key not found"
    assert assert_problem(site.post(f"/api/v1/keys/{key_id}/rotate", ADMIN_KEY), 404) == "Key not found"


def test_a_flood_of_keys_asks_the_database_next_to_nothing(make_site: Callable[..., Site]) -> None:
    """Each request, or anybody who makes up keys, would cost the database a query."""
    site = make_site(SPANFEED_KEY_CACHE_MS="600000")
    key, _ = Locksmith(site.settings, site.store).create("busy", ["events:read"], "test")
    ring, asked = KeyRing(site.settings, site.store), []
    event.listen(site.store.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    for number in range(500):
        assert ring.find(key) is not None
        assert ring.find(f"sf_{number:08}_" + "A" * 43) is None
    assert len([statement for statement in asked if "api_keys" in statement]) <= 3


def test_last_use_is_noted_now_and_then_and_not_for_each_request(make_site: Callable[..., Site]) -> None:
    """Nobody could tell which keys are used; or every read would be a write."""
    site = make_site(SPANFEED_KEY_LAST_USED_SECONDS="600")
    made = _make(site)
    written: list[str] = []
    event.listen(
        site.store.engine,
        "before_cursor_execute",
        lambda *given: written.append(given[2]) if "last_used_at=" in given[2] else None,
    )
    for _ in range(20):
        assert _opens(site, made["key"])
    found = stored.find(site.store, made["id"])
    assert found is not None
    assert found.last_used_at is not None
    assert len(written) == 1


def test_no_more_keys_live_than_the_limit_says(make_site: Callable[..., Site]) -> None:
    """A script that makes keys in a loop would fill every web process's memory."""
    site = make_site(SPANFEED_KEYS_LIMIT="2")
    first = _make(site)
    _make(site)
    assert_problem(site.post("/api/v1/keys", ADMIN_KEY, json=READ), 409, "too_many_keys")
    site.ask("DELETE", f"/api/v1/keys/{first['id']}", ADMIN_KEY)
    assert _make(site)["key"]


def test_without_the_database_a_stored_key_is_told_to_come_back(make_site: Callable[..., Site]) -> None:
    """An application would throw a good key away; or a revoked one would open again in an outage."""
    site = make_site(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    reply = site.get("/chat/events/s", "sf_" + "A" * 8 + "_" + "B" * 43)
    assert_problem(reply, 503, "unavailable")
    assert site.get("/health", "sf_" + "A" * 8 + "_" + "B" * 43).status_code == 200
    assert site.get("/", KEY).status_code in {200, 404}


def test_another_pepper_makes_every_stored_key_worthless(make_site: Callable[..., Site]) -> None:
    """Whoever copies the database alone could try keys against it at home."""
    made = _make(make_site(SPANFEED_KEY_PEPPER="one pepper that is long enough"))
    other = make_site(SPANFEED_KEY_PEPPER="another pepper that is long enough")
    assert_problem(other.get("/chat/events/s", made["key"]), 401)
    assert _opens(make_site(SPANFEED_KEY_PEPPER="one pepper that is long enough"), made["key"])


def test_a_token_can_no_more_than_its_maker(site: Site, session_id: str) -> None:
    """A key that may only read could write, by way of a token."""
    reader = _make(site)["key"]
    token = site.post(f"/chat/{session_id}/token", reader).json["token"]  # type: ignore[index]
    assert site.get(f"/chat/events/{session_id}", token).status_code == 200
    reply = site.post("/chat/", token, json={"message": "hello", "session_id": session_id})
    assert assert_problem(reply, 403) == "Write permission required"


def test_a_token_makes_no_new_session(site: Site, session_id: str) -> None:
    """Whoever was let into one session could fill the database with others."""
    token = site.post(f"/chat/{session_id}/token", KEY).json["token"]  # type: ignore[index]
    assert_problem(site.post("/page/session", token), 403, "bound_to_a_session")


def test_a_users_key_begins_sessions_of_its_own(site: Site, session_id: str) -> None:
    """An application of one user could not begin a conversation, or could enter others'."""
    key = _make(site, user_id="anna", scopes=["chat:write", "events:read"])["key"]
    reply = site.post("/page/session", key)
    assert reply.status_code == 201, reply.text
    assert site.get(f"/chat/{(reply.json or {})['session_id']}", key).status_code == 200
    site.say(session_id)
    message = {"json": {"message": "hello"}, "headers": {"Idempotency-Key": "x" * 256}}
    assert_problem(site.post("/chat/", key, **message), 400, "invalid_idempotency_key")
    for path in (f"/chat/{session_id}", f"/chat/events/{session_id}", "/chat/nowhere"):
        assert assert_problem(site.get(path, key), 404) == "Chat session not found"


def test_keys_by_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has no key yet could not make the first one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPANFEED_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DATABASE_URL", raising=False)

    def run(*words: str, status: int = 0) -> str:
        done = CliRunner().invoke(main, words)
        assert done.exit_code == status, done.output
        return done.output

    run("db", "upgrade")
    first = FORM.search(run("keys", "create", "the site", "--scope", "events:read", "--expires-days", "7"))
    assert first is not None
    key_id = first[0][3:11]
    second = FORM.search(run("keys", "rotate", key_id, "--overlap-hours", "0"))
    assert second is not None
    assert "there is no such key" in run("keys", "rotate", "AAAAAAAA", status=1).lower()
    run("keys", "revoke", second[0][3:11])
    assert "there is no such key" in run("keys", "revoke", "AAAAAAAA", status=1).lower()
    assert "rotated" in run("keys", "rotate", key_id, status=1)
    listed = run("keys", "list").splitlines()
    assert {line.split()[1] for line in listed} == {"expired", "revoked"}
    assert all("the site" in line and "events:read" in line for line in listed)
    assert first[0][12:] not in "".join(listed)
    run("keys", "create", "n", "--scope", "root", status=2)
    assert (tmp_path / "home" / "key_pepper").stat().st_mode & 0o077 == 0
