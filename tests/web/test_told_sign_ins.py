"""Refused and successful sign-ins are told to operators, many of one address as an alarm, and none with a secret."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
import redis

from pipeline.bus import Bus, Frame, keys
from pipeline.store import audit
from tests.parts.stack import KEY
from tests.parts.waiting import wait_for
from tests.web.site import ADMIN_KEY, Site
from web.administrators import Administrators
from web.refusals import Refusal, Refusals

PASSWORD = "correct horse battery"
STORED = "sf_aB3dE6gH_" + "S3cretPart" * 4 + "xyz"
OWN = {"Origin": "http://localhost"}


def told(site: Site, *types: str) -> list[dict[str, Any]]:
    """The events of these types in the log, oldest first."""
    found = [orjson.loads(entry.wire or b"{}") for entry in site.bus.log.read_log(0, 2**53, 10_000)]
    return [event for event in found if event["event_type"] in types]


def everything(bus: Bus) -> bytes:
    """All that the log holds."""
    return b"\n".join(entry.wire or b"" for entry in bus.log.read_log(0, 2**53, 10_000))


def refused(site: Site, key: str, address: str, **more: Any) -> None:
    """A request with a key that opens nothing."""
    assert site.get("/chat/events/s", key, environ_base={"REMOTE_ADDR": address}, **more).status_code == 401


def test_a_refused_key_is_told_to_operators_without_the_key(site: Site) -> None:
    """Without this nobody would learn that somebody tries keys; or the log would hold a key that is nearly right."""
    refused(site, STORED, "192.0.2.1")
    [event] = told(site, "auth.key_refused")
    assert (event["category"], event["priority"], event["user_id"], event["session_id"]) == (
        "security",
        "high",
        None,
        None,
    )
    assert event["metadata"]["audience"] == "operator"
    data = event["event_data"]
    assert data.pop("request_id")
    assert data == {
        "ip_address": "192.0.2.1",
        "method": "GET",
        "route": "/chat/events/<session_id>",
        "key_id": "aB3dE6gH",
        "reason": "invalid",
        "success": False,
    }
    [kept] = told(site, "audit.auth.key_refused")
    assert kept["metadata"]["audience"] == "record"
    assert audit.newest(site.store, 10) == []
    assert b"S3cretPart" not in everything(site.bus)


@pytest.fixture
def unheard(site: Site) -> Iterator[Callable[[Callable[[], None]], list[Frame]]]:
    """What every user's channels announce while something is done, up to the operators' announcement of it."""
    subscription = site.bus.subscribe()

    def during(act: Callable[[], None]) -> list[Frame]:
        for channel in (keys.EVERYONE, keys.user_channel("admin:ada"), keys.session_channel("s"), keys.OPERATORS):
            subscription.follow(channel)
            wait_for(lambda name=channel: subscription.read(1) == name, "the subscription")  # type: ignore[misc]
        act()
        found: list[Frame] = []
        while not any(frame.channel == keys.OPERATORS for frame in found):
            frame = subscription.read(20)
            assert isinstance(frame, Frame), frame
            found.append(frame)
        return [frame for frame in found if frame.channel != keys.OPERATORS]

    yield during
    subscription.close()


def _left(site: Site) -> int:
    with redis.Redis.from_url(site.settings.redis_url, socket_timeout=5) as client:
        return int(client.exists(keys.failures("192.0.2.9")))


def expired_token(site: Site) -> str:
    """A token whose time was over long ago."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("itsdangerous.timed.time.time", lambda: 1_600_000_000)
        return site.state.doors.make_token("s", "key:main")


def test_a_token_is_told_by_what_it_was(site: Site) -> None:
    """Without this a feed that comes back with an old token would look like somebody who guesses tokens."""
    old = expired_token(site)
    for _ in range(12):
        refused(site, "", "192.0.2.2", query_string={"token": old})
    refused(site, "", "192.0.2.2", query_string={"token": old[:-2] + "xx"})
    events = told(site, "auth.token_refused")
    found = [(e["event_data"]["reason"], e["priority"]) for e in events]
    assert found[-1] == ("invalid", "high")
    # Once in a window, of which two may have been begun meanwhile.
    assert found[:-1] in ([("expired", "normal")], [("expired", "normal")] * 2)
    assert told(site, "suspicious.brute_force") == []
    assert old.partition(".")[0].encode() not in everything(site.bus)


def test_ten_failures_of_one_address_are_one_alarm_whichever_process_saw_them(
    make_site: Callable[..., Site],
) -> None:
    """Without this somebody who tries keys at all web processes would stay below every alarm."""
    site, other = make_site(), make_site()
    for number in range(9):
        refused((site, other)[number % 2], f"sf_wrong{number}", "192.0.2.3")
    refused(site, "sf_wrong", "192.0.2.4")
    assert told(site, "suspicious.brute_force") == []
    for number in range(15):
        refused((site, other)[number % 2], f"sf_wrong{number}", "192.0.2.3")
    [alarm] = told(site, "suspicious.brute_force")
    assert (alarm["priority"], alarm["metadata"]["audience"]) == ("critical", "operator")
    assert "192.0.2.3" in alarm["user_message"]
    assert (alarm["event_data"]["attempts"], alarm["event_data"]["window_seconds"]) == (10, 300)
    # What comes behind the alarm is not told one by one: whoever floods fills no log.
    assert len(told(site, "auth.key_refused")) == 11


def test_a_window_forgets(make_site: Callable[..., Site]) -> None:
    """Without this a user who mistypes a key now and then would be an alarm after a month, or an attack only once."""
    site = make_site()
    assert site.bus.failed_sign_in("192.0.2.9", 2, 1.0) == (False, False)
    wait_for(lambda: _left(site) == 0, "the window's end")
    assert site.bus.failed_sign_in("192.0.2.9", 2, 60.0) == (False, False)
    assert site.bus.failed_sign_in("192.0.2.9", 2, 60.0) == (False, True)
    assert site.bus.failed_sign_in("192.0.2.9", 2, 60.0) == (True, False)


def test_whoever_has_many_addresses_fills_no_log(site: Site) -> None:
    """Without this the log could be filled by refused requests until events of the chat are dropped."""
    settings = dataclasses.replace(site.settings, auth_events_per_minute=3)
    refusals = Refusals(settings, site.bus, site.state.events)
    before = len(told(site, "auth.key_refused"))
    for number in range(8):
        refusals.tell(Refusal("auth.key_refused", "invalid"), {"ip_address": f"198.51.100.{number}"})
    assert len(told(site, "auth.key_refused")) - before == 3


def test_a_key_that_is_good_and_a_public_page_tell_nothing(make_site: Callable[..., Site]) -> None:
    """Without this every request, or every health check with an old key, would be an alarm."""
    site = make_site()
    for key in (KEY, ADMIN_KEY, None):
        site.get("/chat/events/s", key)
    assert site.get("/health", "sf_wrong").status_code == 200
    assert site.bus.log.read_log(0, 2**53, 10) == []


def test_administrators_log_in_and_fail_to(make_site: Callable[..., Site]) -> None:
    """Without this nobody could find out who was logged in, from where; or a mistyped password would be in the log."""
    site = make_site()
    Administrators(site.settings, site.store).create("ada", PASSWORD)
    browser = site.browser()
    tries = [("ada", "wrong " + PASSWORD), (PASSWORD, "ada"), ("ada", PASSWORD)]
    for name, password in tries:
        browser.post("/api/v1/login", json={"name": name, "password": password}, headers=OWN, buffered=True)
    browser.post("/api/v1/logout", headers={**OWN, "X-Requested-With": "spanfeed"}, buffered=True)
    events = told(site, "auth.login_failure", "auth.login_success")
    assert [(e["event_type"], e["event_data"].get("user_id")) for e in events] == [
        ("auth.login_failure", "admin:ada"),
        ("auth.login_failure", None),
        ("auth.login_success", "admin:ada"),
    ]
    assert {e["metadata"]["audience"] for e in events} == {"operator"}
    entries = [(e.actor, e.action, e.outcome) for e in audit.entries(site.store)]
    assert entries == [
        ("admin:ada", "administrators.login", "done"),
        ("admin:ada", "administrators.logout", "done"),
    ]
    assert PASSWORD.encode() not in everything(site.bus)


def test_no_user_sees_a_security_event(site: Site, unheard: Callable[[Callable[[], None]], list[Frame]]) -> None:
    """Without this an intruder would be told that somebody has noticed."""
    frames = unheard(lambda: refused(site, "sf_wrong", "192.0.2.8"))
    assert frames == []


def test_telling_holds_nobody_up_and_breaks_nothing(make_site: Callable[..., Site]) -> None:
    """Without this whoever takes Redis away would turn a refused key into an error of the server."""
    site = make_site(REDIS_URL="redis://127.0.0.1:1/0", SPANFEED_AUTH_EVENTS_PER_MINUTE="20")
    for _ in range(12):
        refused(site, "sf_wrong", "192.0.2.7")
    # Two of them and their audit entries wait for Redis; the spool is not filled.
    kept = b"".join(path.read_bytes() for path in (site.settings.home_path / "spool").glob("*.spool"))
    assert kept.count(b'"event_type":"audit.auth.key_refused"') == 2
