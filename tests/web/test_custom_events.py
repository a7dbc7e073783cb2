"""Custom events over HTTP: what may be sent by whom, what is refused, and what each client is told."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from tests.parts.stack import KEY
from tests.web.site import ADMIN_KEY, APP_KEY, Site, assert_problem
from web.cli import main

PATH, TYPES = "/api/v1/events", "/api/v1/event-types"


def log_of(site: Site, event_type: str) -> list[dict[str, Any]]:
    """The events of a type in the log."""
    wires = [entry.wire for entry in site.bus.log.read_log(0, 2**53, 100_000)]
    found = [orjson.loads(wire) for wire in wires if wire is not None]
    return [event for event in found if event["event_type"] == event_type]


def fresh(prefix: str = "custom.") -> str:
    """A type that no other test uses."""
    return f"{prefix}{uuid.uuid4().hex}"


def send(site: Site, key: str = APP_KEY, **event: Any) -> Any:
    """Sends one event."""
    return site.post(PATH, key, json=event)


def test_an_event_is_written_as_it_was_sent(site: Site, session_id: str) -> None:
    """Without this a program in another language could not tell what it does."""
    name = fresh()
    reply = send(site, event_type=name, data={"a": [1]}, session_id=session_id, user_id="u-1", correlation_id="c-1")
    assert reply.status_code == 201
    (event,) = log_of(site, name)
    assert reply.json == {
        "event_id": event["metadata"]["unified_event_id"],
        "id": event["id"],
        "success": True,
        "event_type": name,
        "kept": False,
    }
    assert (event["event_data"], event["user_id"], event["session_id"]) == ({"a": [1]}, "u-1", session_id)
    assert (event["category"], event["priority"], event["source_system"]) == ("realtime", "normal", "custom")
    assert event["metadata"]["emitted_by"] == "key:app"
    assert site.ids(session_id) == [event["id"]]


def test_it_is_recorded_like_every_event(site: Site) -> None:
    """Without this custom events would be shown and then forgotten."""
    name = fresh()
    send(site, event_type=name, data={})
    site.recorder().run_until_empty()
    with site.store.read() as connection:
        rows = connection.exec_driver_sql("SELECT count(*) FROM events WHERE event_type = ?", (name,)).scalar_one()
    assert rows == 1


def test_the_same_id_is_written_once_for_each_key(site: Site) -> None:
    """Without this a retry would tell it twice, or one key could swallow another's events."""
    name = fresh()
    for key in (APP_KEY, APP_KEY, KEY):
        assert send(site, key, event_type=name, id="order-7").status_code == 201
    assert len(log_of(site, name)) == 2
    assert {event["metadata"]["unified_event_id"] for event in log_of(site, name)} == {"order-7"}


REFUSED = [
    ({"event_type": "shop.sold"}, 422, "unknown_type"),
    ({"event_type": "customer"}, 422, "unknown_type"),
    ({"event_type": "custom.bad name"}, 422, "invalid_type"),
    ({"event_type": "custom." + "x" * 94}, 422, "invalid_type"),
    ({"event_type": 7}, 422, "invalid_body"),
    ({"data": {}}, 422, "invalid_body"),
    ({"event_type": "custom.x", "data": [1]}, 422, "invalid_body"),
    ({"event_type": "custom.x", "id": "a b"}, 422, "invalid_body"),
    ({"event_type": "custom.x", "id": "a" * 129}, 422, "invalid_body"),
    ({"event_type": "custom.x", "priority": "urgent"}, 422, "invalid_body"),
    ({"event_type": "custom.x", "category": "secret"}, 422, "invalid_body"),
    ({"event_type": "custom.x", "user_id": "u" * 129}, 422, "invalid_body"),
    ({"event_type": "custom.x", "user_id": "a\nb"}, 422, "invalid_event"),
    ({"event_type": "custom.x", "session_id": "no spaces"}, 422, "invalid_session_id"),
    ({"event_type": "custom.x", "timestamp": "0001-01-01T00:00:00+14:00"}, 422, "invalid_event"),
    ({"event_type": "custom.x", "metadata": {"x": "y" * 65_536}}, 413, "metadata_too_large"),
    ({"event_type": "custom.x", "data": {"x": "y" * 1_048_576}}, 413, "data_too_large"),
    ({"event_type": "error", "event_status": "failed"}, 403, "forged_event"),
    ({"event_type": "response_generation", "event_status": "completed"}, 403, "forged_event"),
    ({"event_type": "saving_message", "session_id": "s-1"}, 403, "forged_event"),
    ({"event_type": "span"}, 403, "forged_event"),
    ({"event_type": "gap"}, 403, "forged_event"),
    ({"event_type": "custom.x", "category": "audit"}, 403, "insufficient_scope"),
    ({"event_type": "custom.x", "audience": "everyone"}, 403, "insufficient_scope"),
]


@pytest.mark.parametrize(("event", "status", "slug"), REFUSED)
def test_what_is_refused(site: Site, event: dict[str, Any], status: int, slug: str) -> None:
    """Without this anybody with a key could fake an answer's end, an audit entry, or fill the log."""
    before = site.bus.clock()[1]
    assert_problem(site.post(PATH, APP_KEY, json=event), status, slug)
    assert site.bus.clock()[1] == before


def test_a_body_that_is_too_long_or_no_json(site: Site) -> None:
    """Without this one request could fill the server's memory."""
    assert_problem(site.post(PATH, APP_KEY, data=b"x" * 4_194_305, content_type="application/json"), 413)
    assert_problem(site.post(PATH, APP_KEY, data=b"{", content_type="application/json"), 400, "invalid_json")
    assert_problem(site.post(PATH, APP_KEY, data=b"a=b", content_type="text/plain"), 415)
    assert_problem(site.post(PATH, APP_KEY, json="text"), 422, "not_an_object")


def test_an_administrator_may_say_more(site: Site) -> None:
    """Without this nobody could send an audit entry or tell all users."""
    audit, everyone = fresh(), fresh()
    assert send(site, ADMIN_KEY, event_type=audit, category="audit", data={"success": False}).status_code == 201
    assert send(site, ADMIN_KEY, event_type=everyone, audience="everyone").status_code == 201
    assert log_of(site, audit)[0]["priority"] == "high"
    assert log_of(site, everyone)[0]["metadata"]["audience"] == "everyone"


def test_an_event_for_nobody_is_for_operators(site: Site) -> None:
    """Without this any application could write onto every user's screen."""
    name = fresh()
    send(site, event_type=name, priority="critical")
    send(site, event_type=name, user_id="u-1")
    assert [event["metadata"]["audience"] for event in log_of(site, name)] == ["operator", "user"]


def test_a_security_event_comes_with_its_audit_entry(site: Site) -> None:
    """Without this sign-ins of another system would be missing from the audit."""
    user = uuid.uuid4().hex
    assert send(site, event_type="auth.login_failure", user_id=user, data={"ip_address": "1.2.3.4"}).status_code == 201
    (event,) = [e for e in log_of(site, "auth.login_failure") if e["user_id"] == user]
    assert (event["category"], event["priority"], event["metadata"]["audience"]) == ("security", "high", "person")
    assert [e["user_id"] for e in log_of(site, "audit.auth.login_failure")].count(user) == 1


def test_a_token_tells_its_own_session_only(site: Site, session_id: str) -> None:
    """Without this a browser could write into another's chat, or alarm the operators."""
    token = site.post(f"/chat/{session_id}/token", KEY).json["token"]  # type: ignore[index]
    name = fresh()
    assert send(site, token, event_type=name, data={"n": 1}).status_code == 201
    (event,) = log_of(site, name)
    assert (event["session_id"], event["metadata"]["audience"]) == (session_id, "user")
    for wrong, status in (
        ({"session_id": "another"}, 404),
        ({"user_id": "u-1"}, 403),
        ({"category": "security"}, 403),
        ({"category": "monitoring"}, 403),
        ({"priority": "high"}, 403),
        ({"audience": "operator"}, 403),
    ):
        assert send(site, token, event_type=name, **wrong).status_code == status, wrong
    assert site.post(PATH, token, json=[{"event_type": name}]).status_code == 403
    assert len(log_of(site, name)) == 1


def test_a_visitor_needs_a_session_of_their_own(make_site: Any) -> None:
    """Without this every visitor of the page could write into every chat."""
    site = make_site(SPANFEED_PUBLIC_CHAT="on")
    browser = site.browser()
    own = browser.post("/page/session", headers={"Origin": "http://localhost"}).json["session_id"]
    other = str(uuid.uuid4())
    site.say(other, owner="somebody else")
    headers = {"Origin": "http://localhost"}
    assert browser.post(PATH, json={"event_type": "custom.x"}, headers=headers).status_code == 422
    for session_id, status in ((own, 201), (other, 404), (str(uuid.uuid4()), 404)):
        reply = browser.post(PATH, json={"event_type": "custom.x", "session_id": session_id}, headers=headers)
        assert reply.status_code == status


BULK = [{"event_type": "custom.bulk", "data": {"n": 0}}, {"event_type": "error"}, 7, {"event_type": "custom.bulk"}]


@pytest.mark.parametrize("form", ["list", "events", "lines"])
def test_many_at_once_have_a_result_each(site: Site, form: str) -> None:
    """Without this one bad event would lose a thousand good ones, or nobody would know which it was."""
    if form == "lines":
        lines = "\n".join(json.dumps(event) for event in BULK) + "\n\n{broken\n"
        reply = site.post(PATH, APP_KEY, data=lines.encode(), content_type="application/x-ndjson")
    else:
        reply = site.post(PATH, APP_KEY, json=BULK if form == "list" else {"events": BULK})
    assert reply.status_code == 200
    body = reply.json
    assert body is not None
    statuses = [201 if r["success"] else r["error"]["status"] for r in body["results"]]
    assert statuses == [201, 403, 422, 201] + ([400] if form == "lines" else [])
    assert [r["index"] for r in body["results"]] == list(range(len(statuses)))
    assert (body["accepted"], body["refused"]) == (2, len(statuses) - 2)
    ids = [r["id"] for r in body["results"] if r["success"]]
    assert ids == sorted(ids)
    assert set(ids) <= {event["id"] for event in log_of(site, "custom.bulk")}


def test_many_at_once_have_a_limit(make_site: Any) -> None:
    """Without this one request could keep a server busy for minutes."""
    site = make_site(SPANFEED_EVENTS_BULK_LIMIT_EVENTS="20")
    assert site.post(PATH, APP_KEY, json=[{"event_type": "custom.x"}] * 20).json["accepted"] == 20
    assert_problem(site.post(PATH, APP_KEY, json=[{"event_type": "custom.x"}] * 21), 413, "too_many_events")
    assert_problem(site.post(PATH, APP_KEY, json=[]), 422, "no_events")


ORDER = {
    "type": "object",
    "required": ["order"],
    "properties": {"order": {"type": "string"}, "count": {"$ref": "#/$defs/count"}},
    "$defs": {"count": {"type": "integer", "minimum": 1}},
    "additionalProperties": False,
}


def define(site: Site, **more: Any) -> str:
    """Defines a type of its own."""
    name = str(more.pop("event_type", fresh("order.")))
    texts = {"en": "Order {order} is on its way", "fr": "La commande {order} est en route"}
    body = {"event_type": name, "schema": ORDER, "texts": texts, **more}
    reply = site.post(TYPES, ADMIN_KEY, json=body)
    assert reply.status_code in (200, 201), reply.text
    return name


def test_a_defined_type_has_its_own_terms(site: Site) -> None:
    """Without this an application could make its events as loud as it likes, and in English only."""
    name = define(site, category="workflow", priority="high", audience="everyone")
    reply = send(
        site, event_type=name, data={"order": "A" * 500, "count": 2}, language="fr-CA", priority="low", category="audit"
    )
    assert reply.status_code == 201
    (event,) = log_of(site, name)
    assert (event["category"], event["priority"]) == ("workflow", "high")
    assert event["metadata"]["audience"] == "everyone"
    assert event["user_message"] == f"La commande {'A' * 399}… est en route"


def test_a_token_reaches_its_session_only_whatever_the_type_says(site: Site, session_id: str) -> None:
    """Without this a browser could write onto every user's screen by a type that is for everyone."""
    token = site.post(f"/chat/{session_id}/token", KEY).json["token"]  # type: ignore[index]
    name, loud = define(site, audience="everyone"), define(site, priority="critical")
    assert send(site, token, event_type=name, data={"order": "A"}).status_code == 201
    assert log_of(site, name)[0]["metadata"]["audience"] == "user"
    assert send(site, token, event_type=loud, data={"order": "A"}).status_code == 403


def test_data_that_the_schema_refuses_are_refused(site: Site) -> None:
    """Without this readers of a type could not rely on its fields."""
    name = define(site)
    detail = assert_problem(send(site, event_type=name, data={"count": 0}), 422, "schema_violated")
    assert sorted(tuple(error["loc"]) for error in detail) == [("body", "data"), ("body", "data", "count")]
    assert log_of(site, name) == []


def test_types_are_listed_replaced_and_removed(site: Site) -> None:
    """Without this a wrong definition could never be mended."""
    name = define(site)
    define(site, event_type=name, schema=None, texts={})
    (kept,) = [t for t in site.get(TYPES, ADMIN_KEY).json["event_types"] if t["event_type"] == name]  # type: ignore[index]
    assert (kept["schema"], kept["texts"], kept["audience"], kept["made_by"]) == (None, {}, "user", "key:admin")
    assert send(site, event_type=name, data={"anything": 1}).status_code == 201
    assert site.ask("DELETE", f"{TYPES}/{name}", ADMIN_KEY).status_code == 200
    assert_problem(site.ask("DELETE", f"{TYPES}/{name}", ADMIN_KEY), 404)
    assert_problem(send(site, event_type=name), 422, "unknown_type")
    for action in ("create", "update", "delete"):
        told = [e["event_data"]["resource_id"] for e in log_of(site, f"event_type.{action}")]
        assert told.count(name) == 1


@pytest.mark.parametrize(
    ("change", "status", "slug"),
    [
        ({"texts": {"en": "{x.__class__}"}}, 422, "invalid_placeholder"),
        ({"texts": {"en": "{0}"}}, 422, "invalid_placeholder"),
        ({"texts": {"en": "{order!r}"}}, 422, "invalid_placeholder"),
        ({"texts": {"en": "{{order}}"}}, 422, "invalid_placeholder"),
        ({"texts": {"en": "{order"}}, 422, "invalid_placeholder"),
        ({"texts": {"en": "{other}"}}, 422, "unknown_placeholder"),
        ({"texts": {"fr": "La commande"}}, 422, "missing_text"),
        ({"texts": {"en": "a", "de": "b"}}, 422, "unknown_language"),
        ({"texts": {"en": " "}}, 422, "invalid_text"),
        ({"texts": {"en": "a" * 501}}, 422, "invalid_text"),
        ({"schema": {"type": "nothing"}}, 422, "invalid_schema"),
        ({"schema": {"$ref": "http://127.0.0.1:1/x"}}, 422, "foreign_reference"),
        ({"schema": {"items": [{"$ref": "file:///etc/passwd"}]}}, 422, "foreign_reference"),
        ({"schema": {"description": "x" * 65_536}}, 413, "schema_too_large"),
        ({"event_type": "document.uploaded"}, 422, "reserved_type"),
        ({"event_type": "error"}, 422, "reserved_type"),
        ({"event_type": "a b"}, 422, "invalid_type"),
        ({"category": "audit", "audience": "everyone"}, 422, "invalid_audience"),
        ({"audience": "nobody"}, 422, "invalid_body"),
        ({"unheard_of": 1}, 422, "invalid_body"),
    ],
)
def test_a_definition_that_cannot_be_used(site: Site, change: dict[str, Any], status: int, slug: str) -> None:
    """Without this a template could reach into the program, or a schema fetch what it likes."""
    body = {"event_type": "order.wrong", "schema": ORDER, "texts": {"en": "Order {order}"}, **change}
    assert_problem(site.post(TYPES, ADMIN_KEY, json=body), status, slug)


def test_a_schema_that_refers_to_nothing_refuses_cleanly(site: Site) -> None:
    """Without this a typing error in a schema would be an error of the server."""
    name = define(site, schema={"properties": {"order": {"$ref": "#/$defs/none"}}})
    assert_problem(send(site, event_type=name, data={"order": "A"}), 422, "unusable_schema")


def test_only_administrators_define_types(site: Site) -> None:
    """Without this an application could change what its events may say."""
    assert_problem(site.post(TYPES, APP_KEY, json={"event_type": "order.mine"}), 403, "insufficient_scope")
    assert_problem(site.get(TYPES, APP_KEY), 403, "insufficient_scope")


def test_there_is_a_limit_of_types(make_site: Any) -> None:
    """Without this a script gone wrong would fill every process's memory with types."""
    site = make_site(SPANFEED_EVENT_TYPES_LIMIT="2")
    names = [define(site) for _ in range(2)]
    assert_problem(site.post(TYPES, ADMIN_KEY, json={"event_type": "order.third"}), 422, "too_many_types")
    define(site, event_type=names[0])


def test_an_unusable_rule_stops_the_server_at_its_start(make_site: Any) -> None:
    """Without this a typing error in a rule would be found out when an alert did not come."""
    from pipeline.errors import SettingError

    with pytest.raises(SettingError, match="SPANFEED_ROUTING_RULES_PATH"):
        make_site(SPANFEED_ROUTING_RULES_PATH="/nowhere/rules.toml")


def test_types_can_be_defined_by_a_command(make_site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this an installation could not be set up by a script that has no key."""
    site = make_site()
    monkeypatch.setenv("SPANFEED_HOME", site.settings.home)
    monkeypatch.setenv("DATABASE_URL", "")
    file = tmp_path / "type.json"

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["event-types", *words])
        return done.exit_code, done.output

    file.write_text(json.dumps({"event_type": "order.cli", "schema": ORDER}), encoding="utf-8")
    assert run("add", str(file)) == (0, "order.cli added\n")
    assert run("add", str(file)) == (0, "order.cli replaced\n")
    assert run("list") == (0, "order.cli: realtime, normal, for user\n")
    assert run("remove", "order.cli") == (0, "order.cli removed\n")
    assert run("remove", "order.cli")[0] == 1
    for wrong in ("{", '{"event_type": "a b"}', '{"unheard_of": 1}'):
        file.write_text(wrong, encoding="utf-8")
        code, said = run("add", str(file))
        assert code == 1
        assert "type.json cannot be used" in said
