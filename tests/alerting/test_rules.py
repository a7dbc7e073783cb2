"""Alert rules as data: what is refused, and where it says that the mistake is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.alerting.measuring import fits, p95
from pipeline.alerting.rules import AlertRule, Metric, rules_of_file
from pipeline.errors import SettingError
from pipeline.settings import load
from pipeline.store.measures import Kind

RULE: dict[str, Any] = {"name": "slow", "metric": "recorder_lag", "above": 10}


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "two words"},
        {"name": ""},
        {"metric": "weather"},
        {"above": -1},
        {"above": float("nan")},
        {"above": float("inf")},
        {"window_seconds": 0},
        {"window_seconds": 86_401},
        {"for_seconds": -1},
        {"severity": "panic"},
        {"metric": "stage_p95_ms"},
        {"metric": "stage_p95_ms", "stage": "lunch"},
        {"metric": "error_rate", "at_least": 0},
        {"event_types": ["order.*"]},
        {"metric": "events", "event_types": ["two words"]},
        {"metric": "events", "event_types": ["a"] * 51},
        {"metric": "events", "categories": ["secret"]},
        {"abvoe": 3},
    ],
    ids=str,
)
def test_what_a_rule_may_not_say(changes: dict[str, Any]) -> None:
    """Without this a mistake would make a rule that never fires, or always does."""
    with pytest.raises(ValidationError):
        AlertRule.model_validate({**RULE, **changes})


def test_a_file_of_rules(tmp_path: Path) -> None:
    """Without this rules could not lie beside the other configuration."""
    file = tmp_path / "alerts.toml"
    settings = load({"SPANFEED_ALERT_RULES_PATH": str(file)})
    file.write_text(
        '[[alert]]\nname = "lag"\nmetric = "recorder_lag"\nabove = 1000\n\n'
        '[[alert]]\nname = "slow"\nmetric = "stage_p95_ms"\nstage = "response_generation"\nabove = 5000\n'
        'severity = "critical"\nfor_seconds = 60\n'
    )
    lag, slow = rules_of_file(settings)
    assert (lag.name, lag.metric, lag.window_seconds) == ("lag", Metric.RECORDER_LAG, 300)
    assert (slow.stage, slow.severity, slow.for_seconds) == ("response_generation", "critical", 60)
    assert rules_of_file(load({})) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[alert]]\nname = 'a'\nmetric = 'recorder_lag'\nabove = 1\nabvoe = 2\n", "rule 1: abvoe"),
        ("[[alert]]\nname = 'a'\nmetric = 'recorder_lag'\nabove = 1\n" * 2, "two rules with the name a"),
        ("[[rule]]\nname = 'a'\n", "a list named alert"),
        ("[[alert]\n", "cannot be understood"),
        ("[[alert]]\nname = 'a'\nmetric = 'stage_p95_ms'\nabove = 1\n", "stage is needed"),
    ],
)
def test_a_file_that_cannot_be_used_says_where(tmp_path: Path, text: str, words: str) -> None:
    """Without this a mistake in the file would be found when the alarm does not come."""
    file = tmp_path / "alerts.toml"
    file.write_text(text)
    with pytest.raises(SettingError, match=words):
        rules_of_file(load({"SPANFEED_ALERT_RULES_PATH": str(file)}))
    file.unlink()
    with pytest.raises(SettingError, match="cannot be read"):
        rules_of_file(load({"SPANFEED_ALERT_RULES_PATH": str(file)}))


@pytest.mark.parametrize(
    ("filters", "fitting"),
    [
        ({}, True),
        ({"event_types": ["order.*"]}, True),
        ({"event_types": ["other.*"]}, False),
        ({"categories": ["security"]}, False),
        ({"categories": ["realtime"], "priorities": ["high"]}, True),
        ({"priorities": ["low"]}, False),
    ],
    ids=str,
)
def test_which_events_are_counted(filters: dict[str, Any], fitting: bool) -> None:
    """Without this a rule would count what it is not about."""
    rule = AlertRule.model_validate({**RULE, "metric": "events", **filters})
    assert fits(rule, Kind("order.made", "realtime", "high", None, None, "sse", 1)) is fitting
    assert not fits(
        AlertRule.model_validate({**RULE, "metric": "events"}), Kind("span", "monitoring", "low", *[None] * 3, 1)
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "found"), [([], 0), ([7], 7), (range(1, 101), 95), ([1] * 19 + [9], 1), ([1] * 9 + [9], 9)]
)
def test_p95(values: Any, found: float) -> None:
    """Without this a few slow answers would be hidden, or one of them be an alarm."""
    assert p95(list(values)) == found
