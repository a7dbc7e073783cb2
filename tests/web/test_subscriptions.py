"""Subscriptions over HTTP: who may have which, what is refused, and what the delivery log says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.store import audit, deliveries, subscriptions
from pipeline.subscriptions.delivering import Deliverer
from tests.parts.stack import KEY
from tests.parts.webhook_part import WebhookPart
from tests.web.site import ADMIN_KEY, APP_KEY, Site, assert_problem
from web.auth import COOKIE
from web.keyring import Locksmith

PATH = "/api/v1/subscriptions"
URL = "https://hooks.example.org/spanfeed"


@pytest.fixture(scope="module")
def anna(site: Site) -> str:
    """The key of the user Anna."""
    return Locksmith(site.settings, site.store).create("a", ["events:read"], "test", "anna")[0]


def subscribe(site: Site, key: str = APP_KEY, **more: Any) -> dict[str, Any]:
    """Makes a subscription."""
    reply = site.post(PATH, key, json={"url": URL, **more})
    assert reply.status_code == 201, reply.text
    found: Any = reply.json
    assert reply.headers["Location"] == f"{PATH}/{found['id']}"
    return found  # type: ignore[no-any-return]


def test_a_secret_is_shown_once(site: Site) -> None:
    """Without this whoever reads a list could sign for the server."""
    made = subscribe(site, name="Documents", event_types=["document.*"], priorities=["high"])
    assert made["secret"].startswith("whsec_")
    one = f"{PATH}/{made['id']}"
    shown: Any = site.get(one, APP_KEY).json
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert (shown["event_types"], shown["priorities"], shown["sees"]) == (["document.*"], ["high"], "application")
    assert made["secret"] not in site.get(PATH, KEY).text
    turned: Any = site.post(f"{one}/secret", APP_KEY).json
    assert turned["secret"].startswith("whsec_")
    assert turned["secret"] != made["secret"]


def test_each_sees_their_own_and_an_administrator_all(site: Site, anna: str) -> None:
    """Without this one application could read, change or remove the subscriptions of another."""
    mine, hers = subscribe(site), subscribe(site, anna)
    assert (hers["sees"], hers["user_id"]) == ("user", "anna")
    listed = {key: {one["id"] for one in site.get(PATH, key).json["subscriptions"]} for key in (APP_KEY, anna, KEY)}  # type: ignore[index]
    assert mine["id"] in listed[APP_KEY]
    assert listed[anna] == {hers["id"]}
    assert listed[KEY] >= {mine["id"], hers["id"]}
    other = f"{PATH}/{mine['id']}"
    unknown = f"{PATH}/sub_unknown"
    for method, below in (
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/secret"),
        ("POST", "/test"),
        ("GET", "/deliveries"),
    ):
        foreign = site.ask(method, other + below, anna, json={} if method == "PATCH" else None)
        nothing = site.ask(method, unknown + below, anna, json={} if method == "PATCH" else None)
        assert assert_problem(foreign, 404) == assert_problem(nothing, 404) == "Subscription not found"
    assert site.get(other, ADMIN_KEY).status_code == 200
    assert site.ask("DELETE", other, ADMIN_KEY).status_code == 200
    assert_problem(site.get(other, APP_KEY), 404)


def test_visitors_and_session_tokens_have_none(site: Site, session_id: str) -> None:
    """Without this anybody who opens the page could have the server call addresses, or read a key's subscriptions."""
    subscribe(site, KEY)
    site.say(session_id)
    token = site.state.doors.make_token(session_id, "key:main")
    headers = {"Cookie": f"{COOKIE}={site.state.doors.make_cookie()[1]}", "Origin": "http://localhost"}
    assert_problem(site.ask("POST", PATH, None, json={"url": URL}, headers=headers), 403, "no_subscriber")
    assert_problem(site.post(PATH, token, json={"url": URL}), 403, "no_subscriber")
    assert site.get(PATH, token).json == {"subscriptions": []}
    assert site.ask("GET", PATH, None, headers=headers).json == {"subscriptions": []}


@pytest.mark.parametrize(
    ("body", "status", "slug"),
    [
        ({}, 422, "one_target"),
        ({"url": URL, "email": "a@example.org"}, 422, "one_target"),
        ({"url": "http://hooks.example.org/"}, 422, "url_refused"),
        ({"url": "https://169.254.169.254/"}, 422, "url_refused"),
        ({"url": "https://[::ffff:127.0.0.1]/"}, 422, "url_refused"),
        ({"url": "https://2130706433/"}, 422, "url_refused"),
        ({"url": "https://u:p@hooks.example.org/"}, 422, "url_refused"),
        ({"url": "x" * 2_001}, 422, "invalid_body"),
        ({"url": 7}, 422, "invalid_body"),
        ({"email": "no address"}, 422, "invalid_email"),
        ({"email": "a@example.org\r\nBcc: b@example.org"}, 422, "invalid_email"),
        ({"email": "a@example.org"}, 422, "no_mail"),
        ({"url": URL, "event_types": ["bad name"]}, 422, "invalid_body"),
        ({"url": URL, "event_types": ["a"] * 51}, 422, "invalid_body"),
        ({"url": URL, "categories": ["secret"]}, 422, "invalid_body"),
        ({"url": URL, "priorities": "high"}, 422, "invalid_body"),
        ({"url": URL, "session_id": "../x"}, 422, "invalid_body"),
        ({"url": URL, "sees": "operator"}, 422, "invalid_body"),
        ({"url": URL, "owner": "key:main"}, 422, "invalid_body"),
    ],
    ids=str,
)
def test_what_is_refused(site: Site, body: dict[str, Any], status: int, slug: str) -> None:
    """Without this a mistake would widen what is sent, or a receiver be reached that must not be."""
    assert_problem(site.post(PATH, APP_KEY, json=body), status, slug)


def test_a_user_names_nobody_else(site: Site, anna: str, session_id: str) -> None:
    """Without this a user could have another's events sent to themselves."""
    assert_problem(site.post(PATH, anna, json={"url": URL, "user_id": "bert"}), 403, "foreign_user")
    site.say(session_id, owner="bert")
    assert_problem(site.post(PATH, anna, json={"url": URL, "session_id": session_id}), 404, "not_found")
    hers = subscribe(site, anna)
    one = f"{PATH}/{hers['id']}"
    assert_problem(site.ask("PATCH", one, anna, json={"user_id": "bert"}), 403, "foreign_user")
    assert_problem(site.ask("PATCH", one, anna, json={"user_id": None}), 403, "foreign_user")
    assert_problem(site.ask("PATCH", one, anna, json={"session_id": session_id}), 404, "not_found")
    own = site.say("annas-own-session", owner="anna")
    assert own
    assert site.ask("PATCH", one, anna, json={"session_id": "annas-own-session"}).json["session_id"]  # type: ignore[index]


def test_mails_are_for_applications_and_administrators(make_site: Callable[..., Site]) -> None:
    """Without this a user could have anybody sent mails that they have not asked for."""
    site = make_site(SPANFEED_SMTP_HOST="127.0.0.1", SPANFEED_SMTP_FROM="spanfeed@example.org")
    key = Locksmith(site.settings, site.store).create("a", ["events:read"], "test", "anna")[0]
    body = {"email": "ops@example.org"}
    assert_problem(site.post(PATH, key, json=body), 403, "insufficient_scope")
    made: Any = site.post(PATH, APP_KEY, json=body).json
    assert (made["channel"], made["email"]) == ("email", "ops@example.org")
    assert "secret" not in made
    assert_problem(site.post(f"{PATH}/{made['id']}/secret", APP_KEY), 409, "no_secret")
    assert_problem(site.ask("PATCH", f"{PATH}/{made['id']}", APP_KEY, json={"url": URL}), 422, "channel")


def test_a_change_leaves_the_rest(site: Site) -> None:
    """Without this turning a subscription off would change what it wants."""
    made = subscribe(site, name="A", event_types=["a.*"], user_id="u")
    one = f"{PATH}/{made['id']}"
    subscriptions.change(site.store, made["id"], failures=7)
    changed: Any = site.ask("PATCH", one, APP_KEY, json={"enabled": False}).json
    del made["secret"]
    assert {**changed, "updated_at": ""} == {**made, "enabled": False, "failures": 7, "updated_at": ""}
    again: Any = site.ask("PATCH", one, APP_KEY, json={"url": f"{URL}2", "event_types": [], "user_id": None}).json
    assert (again["url"], again["event_types"], again["user_id"], again["enabled"]) == (f"{URL}2", [], None, False)
    assert again["failures"] == 0
    assert_problem(site.ask("PATCH", one, APP_KEY, json={"url": "https://10.0.0.1/"}), 422, "url_refused")


def test_there_are_limits(make_site: Callable[..., Site]) -> None:
    """Without this one key could fill the database, and slow every event down."""
    site = make_site(SPANFEED_SUBSCRIPTIONS_PER_OWNER_LIMIT="2", SPANFEED_SUBSCRIPTIONS_LIMIT="3")
    for key in (APP_KEY, APP_KEY, KEY):
        subscribe(site, key)
    for key in (APP_KEY, KEY):
        assert_problem(site.post(PATH, key, json={"url": URL}), 409, "too_many_subscriptions")


def test_the_delivery_log_is_paged_and_dead_letters_are_sent_again(make_site: Callable[..., Site]) -> None:
    """Without this nobody could see why events do not come, nor get what was given up."""
    site = make_site(
        SPANFEED_WEBHOOK_ALLOW_HTTP="true",
        SPANFEED_WEBHOOK_PRIVATE_NETWORKS="127.0.0.1",
        SPANFEED_DELIVERY_TRIES_LIMIT="1",
        SPANFEED_DELIVERY_CIRCUIT_FAILURES_LIMIT="100",
    )
    receiver = WebhookPart()
    receiver.status = 500
    made = subscribe(site, url=receiver.url)
    one = f"{PATH}/{made['id']}"
    sent = [site.post(f"{one}/test", APP_KEY).json["webhook_id"] for _ in range(3)]  # type: ignore[index]
    deliverer = Deliverer(site.settings, site.store, site.state.events)
    assert deliverer.serve(made["id"])
    page: Any = site.get(f"{one}/deliveries?limit=2", APP_KEY).json
    assert [row["webhook_id"] for row in page["deliveries"]] == sent[:0:-1]
    rest: Any = site.get(f"{one}/deliveries?limit=2&before={page['next_before']}", APP_KEY).json
    assert (page["has_more"], rest["has_more"], rest["next_before"]) == (True, False, None)
    [row] = rest["deliveries"]
    assert (row["webhook_id"], row["status"], row["attempts"]) == (sent[0], "dead", 1)
    assert (row["http_status"], row["error"], row["event_type"]) == (500, "it answered 500", "subscription.test")
    assert row["latency_ms"] >= 0
    assert_problem(site.post(f"{one}/deliveries/{row['id']}/retry", APP_KEY), 403, "insufficient_scope")
    receiver.status = 200
    assert site.post(f"{one}/deliveries/{row['id']}/retry", ADMIN_KEY).json["count"] == 1  # type: ignore[index]
    assert_problem(site.post(f"{one}/deliveries/{row['id']}/retry", ADMIN_KEY), 404)
    assert_problem(site.post(f"{one}/deliveries/x/retry", ADMIN_KEY), 404)
    assert site.post(f"{one}/deliveries/retry", ADMIN_KEY).json["count"] == 2  # type: ignore[index]
    deliverer.serve(made["id"])
    counted: Any = site.get(one, APP_KEY).json
    assert counted["deliveries"] == {"pending": 0, "delivered": 3, "dead": 0, "dropped": 0}
    assert site.get(f"{one}/deliveries?status=dead", APP_KEY).json["deliveries"] == []  # type: ignore[index]
    for wrong in ("status=x", "limit=0", "limit=501", "before=x"):
        assert_problem(site.get(f"{one}/deliveries?{wrong}", APP_KEY), 422)
    assert deliveries.counts(site.store, [made["id"]])[made["id"]]["delivered"] == 3
    receiver.close()


def test_auditors_are_told(site: Site) -> None:
    """Without this nobody could see later who had events sent where."""
    import orjson

    made = subscribe(site)
    site.ask("DELETE", f"{PATH}/{made['id']}", APP_KEY)
    wires = [entry.wire for entry in site.bus.log.read_log(0, 2**53, 100_000) if entry.wire is not None]
    told = [event for event in map(orjson.loads, wires) if (event["event_data"] or {}).get("resource_id") == made["id"]]
    assert [event["event_type"] for event in told] == ["subscription.create", "subscription.delete"]
    assert all(event["category"] == "audit" and event["event_data"]["by"] == "key:app" for event in told)
    assert URL not in str(told)
    kept = [(one.action, one.actor) for one in audit.newest(site.store, 2) if one.object_id == made["id"]]
    assert sorted(kept) == [("subscription.create", "key:app"), ("subscription.delete", "key:app")]
