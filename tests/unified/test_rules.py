"""Routing rules: who sees an event, which entries come of it, and that nobody sees it twice."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.bus import Frame, keys
from pipeline.errors import SettingError
from pipeline.settings import Settings
from pipeline.unified import (
    EventPriority,
    UnifiedEvent,
    emit_audit_event,
    emit_event,
    emit_realtime_event,
    emit_security_event,
    emit_streaming_event,
    emit_system_alert,
    initialize_event_system,
)
from pipeline.unified.rules import load_rules

Read = Callable[[], list[dict[str, Any]]]
Listen = Callable[..., Callable[[int], list[Frame]]]
END = "the.end"
SESSION, USER = keys.session_channel("s-1"), keys.user_channel("u-1")


def told(listen: Listen, act: Callable[[], object]) -> dict[str, list[str]]:
    """By channel: the types that were announced while `act` ran."""
    read = listen(SESSION, USER, keys.EVERYONE, keys.OPERATORS)
    act()
    emit_realtime_event(END, {})
    found: dict[str, list[str]] = {}
    while keys.OPERATORS not in found or found[keys.OPERATORS][-1] != END:
        (frame,) = read(1)
        found.setdefault(frame.channel, []).append(frame.event_type)
    return {channel: [t for t in types if t != END] for channel, types in found.items() if set(types) != {END}}


def test_a_security_event_without_a_user_reaches_administrators_only(listen: Listen, log: Read) -> None:
    """Without this every user would read about every attack; the original told them six times."""
    act = lambda: emit_security_event("suspicious.brute_force", {}, priority=EventPriority.CRITICAL)  # noqa: E731
    assert told(listen, act) == {keys.OPERATORS: ["suspicious.brute_force"]}
    entries = [event for event in log() if event["category"] == "audit"]
    assert [event["event_type"] for event in entries] == ["audit.suspicious.brute_force"]
    assert log()[0]["metadata"]["notification"] is True


def test_a_security_event_never_stands_in_a_sessions_feed(listen: Listen) -> None:
    """Without this whoever shares a chat session would read its owner's security alerts."""
    act = lambda: emit_security_event("auth.login_failure", {}, user_id="u-1", session_id="s-1")  # noqa: E731
    assert told(listen, act) == {keys.OPERATORS: ["auth.login_failure"], USER: ["auth.login_failure"]}


def test_suspicion_is_not_told_to_the_suspect(listen: Listen) -> None:
    """Without this an intruder would be warned in the account that was broken into."""
    from pipeline.unified import emit_suspicious_activity

    act = lambda: emit_suspicious_activity("new_country", user_id="u-1")  # noqa: E731
    assert told(listen, act) == {keys.OPERATORS: ["suspicious.new_country"]}


def test_each_client_is_told_once_however_many_rules_match(listen: Listen, log: Read) -> None:
    """Without this one event would be shown several times."""
    act = lambda: emit_realtime_event(  # noqa: E731
        "job.failed", {"job_name": "x"}, user_id="u-1", session_id="s-1", priority="critical"
    )
    once = ["job.failed"]
    assert told(listen, act) == {SESSION: once, USER: once, keys.OPERATORS: once}
    assert [event["event_type"] for event in log()].count("job.failed") == 1


def test_high_events_reach_their_user_live(listen: Listen) -> None:
    """Without this a high event of the audit would wait until somebody looks."""
    calm = told(listen, lambda: emit_audit_event("key.used", {}, user_id="u-1"))
    assert calm == {keys.OPERATORS: ["key.used"]}
    high = told(listen, lambda: emit_audit_event("key.used", {"success": False}, user_id="u-1"))
    assert high == {keys.OPERATORS: ["key.used"], USER: ["key.used"]}


def test_who_is_told_without_a_rule(listen: Listen) -> None:
    """Without this an event could reach nobody, or everybody."""
    for act, channels in (
        (lambda: emit_realtime_event("a.b", {}), {keys.EVERYONE, keys.OPERATORS}),
        (lambda: emit_realtime_event("a.b", {}, user_id="u-1"), {USER, keys.OPERATORS}),
        (lambda: emit_realtime_event("a.b", {}, user_id="u-2"), {keys.OPERATORS}),
        (lambda: emit_realtime_event("a.b", {}, user_id="u-1", audience="everyone"), {keys.EVERYONE, keys.OPERATORS}),
        (lambda: emit_streaming_event("a.b", {}, session_id="s-1"), {SESSION, keys.OPERATORS}),
        (lambda: emit_streaming_event("a.b", {}), {keys.OPERATORS}),
        (lambda: emit_system_alert("full", "critical"), {keys.OPERATORS}),
        (lambda: emit_security_event("a.b", {}, audience="everyone"), {keys.OPERATORS}),
    ):
        assert set(told(listen, act)) == channels


def test_an_event_without_a_session_has_no_place_in_one(log: Read) -> None:
    """Without this a client would look for a number that is missing."""
    emit_realtime_event("a.b", {}, user_id="u-1")
    emit_realtime_event("a.b", {}, user_id="u-1", session_id="s-1")
    emit_security_event("a.b", {}, session_id="s-1")
    emit_realtime_event("a.b", {}, session_id="s-1", audience="everyone")
    assert [event["seq"] for event in log() if event["category"] != "audit"] == [None, 1, None, 2]


def test_in_a_sessions_feed_an_event_has_a_status(log: Read) -> None:
    """Without this a chat page would drop the event and take its number for one that was lost."""
    for name in ("job.started", "job.failed", "auth.login_failure", "my.error", "terror"):
        emit_realtime_event(name, {}, session_id="s-1")
    emit_realtime_event("job.failed", {}, user_id="u-1")
    assert [event["event_status"] for event in log()] == [
        "completed",
        "failed",
        "failed",
        "failed",
        "completed",
        None,
    ]


RULES = """
[[rule]]
name = "payments-to-audit"
match = { event_type = ["payment.*"], source_system = "shop" }
then = ["audit"]

[[rule]]
name = "mirror"
match = { event_type = "*" }
emit = { event_type = "mirror.seen", category = "analytics" }

[[rule]]
name = "critical-to-notification"
enabled = false
"""


@pytest.fixture
def own_rules(unified_settings: Settings, tmp_path: Path) -> Settings:
    """The settings with rules of one's own."""
    file = tmp_path / "rules.toml"
    file.write_text(RULES, encoding="utf-8")
    settings = dataclasses.replace(unified_settings, routing_rules_path=str(file))
    initialize_event_system(settings)
    return settings


def test_own_rules_are_applied_and_never_to_what_a_rule_has_made(own_rules: Settings, log: Read) -> None:
    """Without this two rules could make each other's events until Redis is full."""
    event = UnifiedEvent("realtime", "payment.done", data={"amount": 3}, source_system="shop", priority="critical")
    for _ in range(2):
        assert emit_event(event)
    found = log()
    assert [event["event_type"] for event in found] == ["payment.done", "audit.payment.done", "mirror.seen"]
    assert "notification" not in found[0]["metadata"]
    origin = found[2]["metadata"]["origin"]
    assert origin == {"event_id": event.id, "event_type": "payment.done", "rule": "mirror"}
    assert found[2]["event_data"] == {"amount": 3}


def test_rules_can_be_turned_off(unified_settings: Settings, log: Read) -> None:
    """Without this the seed's setting `cross_system_routing` would do nothing."""
    initialize_event_system(dataclasses.replace(unified_settings, cross_system_routing=False))
    emit_security_event("auth.login_failure", {})
    assert [event["category"] for event in log()] == ["security"]


def test_json_is_read_too(unified_settings: Settings, tmp_path: Path) -> None:
    """Without this a program that writes its rules would need a TOML writer."""
    file = tmp_path / "rules.json"
    file.write_text('{"rule": [{"name": "one", "then": "audit"}]}', encoding="utf-8")
    rules = load_rules(dataclasses.replace(unified_settings, routing_rules_path=str(file)))
    assert [rule.name for rule in rules][-1] == "one"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rule = 3", "a list named rule"),
        ("[[rules]]\nname='a'", "a list named rule"),
        ("[[rule]]\nthen=['audit']", "needs a name"),
        ("[[rule]]\nname='a'", "neither then nor emit"),
        ("[[rule]]\nname='a'\nthen=['mail']", "'mail' is none of"),
        ("[[rule]]\nname='a'\nthen='audit'\nwhen='x'", "'when' is none of"),
        ("[[rule]]\nname='a'\nthen='audit'\nmatch={priority='urgent'}", "'urgent' is none of"),
        ("[[rule]]\nname='a'\nthen='audit'\nmatch={category=[1]}", "a word or a list of words"),
        ("[[rule]]\nname='a'\nthen='audit'\nmatch={event_type='a b'}", "no type and no pattern"),
        ("[[rule]]\nname='a'\nemit={event_type='a'}", "category is missing"),
        ("[[rule]]\nname='a'\nemit={event_type='a b',category='audit'}", "an event type is"),
        ("[[rule]]\nname='a'\nthen='audit'\n[[rule]]\nname='a'\nthen='audit'", "two rules with the name a"),
        ("[[rule]", "cannot be understood"),
    ],
)
def test_a_wrong_rule_is_refused_at_the_start(unified_settings: Settings, tmp_path: Path, text: str, said: str) -> None:
    """Without this a typing error in a rule would be noticed when an alert did not come."""
    file = tmp_path / "rules.toml"
    file.write_text(text, encoding="utf-8")
    settings = dataclasses.replace(unified_settings, routing_rules_path=str(file))
    with pytest.raises(SettingError, match="routing rules: ") as caught:
        initialize_event_system(settings)
    assert said in str(caught.value)


def test_a_missing_file_is_named_and_stops_no_emitter(unified_settings: Settings, tmp_path: Path) -> None:
    """Without this a wrong path would break the program at its first event."""
    settings = dataclasses.replace(unified_settings, routing_rules_path=str(tmp_path / "none.toml"))
    with pytest.raises(SettingError, match="SPANFEED_ROUTING_RULES_PATH"):
        initialize_event_system(settings)
    found = emit_realtime_event("a.b", {})
    assert not found
    assert "SPANFEED_ROUTING_RULES_PATH" in str(found.error)
