"""Alerts over HTTP: rules, silences and the history, for administrators."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SettingError
from pipeline.store import alerts, audit
from tests.web.site import ADMIN_KEY, APP_KEY, Site, assert_problem

RULES, ALERTS, SILENCES = "/api/v1/alerts/rules", "/api/v1/alerts", "/api/v1/alerts/silences"
RULE = {"name": "lag", "metric": "recorder_lag", "above": 10}


def test_a_rule_is_kept_changed_and_removed(site: Site) -> None:
    """Without this rules could not be changed while everything runs."""
    made = site.post(RULES, ADMIN_KEY, json=RULE)
    assert made.status_code == 201
    said: Any = made.json
    assert (said["source"], said["state"], said["window_seconds"], said["severity"]) == ("stored", "ok", 300, "warning")
    assert site.post(RULES, ADMIN_KEY, json={**RULE, "above": 20}).status_code == 200
    alerts.begin(site.store, "lag", "warning", 30, 20)
    [listed] = site.get(RULES, ADMIN_KEY).json["rules"]  # type: ignore[index]
    assert (listed["above"], listed["state"]) == (20, "pending")
    assert site.ask("DELETE", f"{RULES}/lag", ADMIN_KEY).status_code == 200
    assert_problem(site.ask("DELETE", f"{RULES}/lag", ADMIN_KEY), 404)
    kept = [entry.action for entry in audit.newest(site.store, 3) if entry.actor == "key:admin"]
    assert sorted(kept) == ["alert_rule.create", "alert_rule.delete", "alert_rule.update"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (RULES, {**RULE, "metric": "weather"}),
        (RULES, {**RULE, "abvoe": 1}),
        (RULES, {**RULE, "name": "two words"}),
        (SILENCES, {"rule": "two words", "seconds": 60}),
        (SILENCES, {"rule": "x" * 65, "seconds": 60}),
        (SILENCES, {"rule": "lag", "seconds": 0}),
        (SILENCES, {"rule": "lag", "seconds": 2_592_001}),
        (SILENCES, {"rule": "lag"}),
    ],
    ids=str,
)
def test_what_is_refused(site: Site, path: str, body: dict[str, Any]) -> None:
    """Without this a mistake would be found when the alarm does not come."""
    assert_problem(site.post(path, ADMIN_KEY, json=body), 422, "invalid_body")
    assert_problem(site.post(path, APP_KEY, json=body), 403, "insufficient_scope")


def test_rules_of_the_file_stand_beside(make_site: Callable[..., Site], tmp_path: Path) -> None:
    """Without this a rule of the file could be overruled unseen, and a bad file be found too late."""
    file = tmp_path / "alerts.toml"
    file.write_text("[[alert]]\nname = 'lag'\nmetric = 'recorder_lag'\nabove = 5\n")
    site = make_site(SPANFEED_ALERT_RULES_PATH=str(file), SPANFEED_ALERT_RULES_LIMIT="1")
    assert_problem(site.post(RULES, ADMIN_KEY, json=RULE), 409, "rule_of_the_file")
    assert site.post(RULES, ADMIN_KEY, json={**RULE, "name": "own"}).status_code == 201
    assert_problem(site.post(RULES, ADMIN_KEY, json={**RULE, "name": "more"}), 409, "too_many_rules")
    told = site.get(RULES, ADMIN_KEY).json["rules"]  # type: ignore[index]
    assert [(one["name"], one["source"]) for one in told] == [("lag", "file"), ("own", "stored")]
    file.write_text("[[alert]]\nname = 'lag'\n")
    with pytest.raises(SettingError, match="rule 1: metric"):
        make_site(SPANFEED_ALERT_RULES_PATH=str(file))


def test_silences(site: Site) -> None:
    """Without this planned work would wake somebody."""
    made: Any = site.post(SILENCES, ADMIN_KEY, json={"rule": "lag*", "seconds": 600, "reason": "work"}).json
    ends_in = datetime.datetime.fromisoformat(made["until"]) - datetime.datetime.now(datetime.UTC)
    assert 500 < ends_in.total_seconds() <= 600
    assert site.get(SILENCES, ADMIN_KEY).json == {"silences": [made]}
    assert (made["rule"], made["reason"], made["made_by"]) == ("lag*", "work", "key:admin")
    assert site.ask("DELETE", f"{SILENCES}/{made['id']}", ADMIN_KEY).status_code == 200
    for wrong in (made["id"], "x", "9" * 20):
        assert_problem(site.ask("DELETE", f"{SILENCES}/{wrong}", ADMIN_KEY), 404)
    kept = [entry.action for entry in audit.newest(site.store, 2) if entry.object_id == str(made["id"])]
    assert sorted(kept) == ["alert_silence.create", "alert_silence.delete"]


def test_the_history_is_paged(site: Site) -> None:
    """Without this nobody could see how often it was so before."""
    numbers = [alerts.begin(site.store, f"rule-{n}", "info", n, 0).id for n in range(3)]
    alerts.change(site.store, numbers[0], status=alerts.FIRING)
    page: Any = site.get(f"{ALERTS}?limit=2", ADMIN_KEY).json
    assert [one["id"] for one in page["alerts"]] == numbers[:0:-1]
    rest: Any = site.get(f"{ALERTS}?limit=500&before={page['next_before']}", ADMIN_KEY).json
    assert numbers[0] in [one["id"] for one in rest["alerts"]]
    firing: Any = site.get(f"{ALERTS}?status=firing", ADMIN_KEY).json
    assert [one["rule"] for one in firing["alerts"]] == ["rule-0"]
    only: Any = site.get(f"{ALERTS}?rule=rule-1", ADMIN_KEY).json
    assert [(one["rule"], one["value"], one["status"]) for one in only["alerts"]] == [("rule-1", 1, "pending")]
    for wrong in ("status=x", "limit=0", "before=x"):
        assert_problem(site.get(f"{ALERTS}?{wrong}", ADMIN_KEY), 422)
