"""Alarms about the log itself: operators are told once that it is full, or has let events go that were needed."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.event import Category, Identity, Priority, State
from tests.web.site import Site
from tests.web.test_told_sign_ins import told
from web.log_alarms import LogAlarms


def look(site: Site) -> None:
    """One look of a recorder that has just begun."""
    LogAlarms(site.settings, site.bus).look()


def test_a_full_log_is_told_once_and_that_it_has_room_again(make_site: Callable[..., Site], session_id: str) -> None:
    """Without this events would be dropped and nobody would know since when."""
    site = make_site(SPANFEED_LOG_LIMIT_EVENTS="150")
    site.emit(session_id, 149)
    look(site)
    assert told(site, "system.alert") == []
    site.emit(session_id, 1)
    for _ in range(3):
        look(site)
    [raised] = told(site, "system.alert")
    assert (raised["category"], raised["priority"], raised["session_id"]) == ("monitoring", "critical", None)
    assert raised["event_data"] == {"alert": "log_full", "state": "raised", "length": 150}
    for number in range(4):
        identity = Identity("custom.thing", Category.WORKFLOW, Priority.NORMAL)
        assert site.bus.append(identity, State(None), f"dropped-{number}") == 0
    look(site)
    site.recorder().run_until_empty()
    assert len(told(site, "system.alert")) == 1
    assert site.bus.log.trim() >= 100
    for _ in range(2):
        look(site)
    [resolved] = [e for e in told(site, "system.alert") if e["event_data"]["state"] == "resolved"]
    assert (resolved["priority"], resolved["event_data"]["state"]) == ("high", "resolved")
    assert resolved["event_data"]["dropped"] == 4


def test_a_handler_for_which_events_were_let_go_is_told_once(make_site: Callable[..., Site], session_id: str) -> None:
    """Without this a handler would have missed orders, and only its silence would say so."""
    site = make_site(SPANFEED_HANDLER_LOG_LIMIT_EVENTS="150")
    site.bus.handler_log.join("orders", "0")
    for _ in range(3):
        site.emit(session_id, 150)
        site.recorder().run_until_empty()
        site.bus.log.trim()
    alarms = LogAlarms(site.settings, site.bus)
    alarms.look()
    LogAlarms(site.settings, site.bus).look()
    [alert] = told(site, "system.alert")
    assert (alert["priority"], alert["event_data"]) == (
        "high",
        {"alert": "handler_behind", "state": "raised", "handler": "orders"},
    )
    assert "orders" in alert["user_message"]
