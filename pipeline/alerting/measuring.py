"""Measuring what alert rules look at; each thing once for all rules of a look."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

from pipeline import catalog
from pipeline.alerting.rules import AlertRule, Metric
from pipeline.bus import Bus
from pipeline.errors import BusUnavailable
from pipeline.event import Reason, Status
from pipeline.store import Store, measures
from pipeline.store.measures import Kind
from pipeline.unified.patterns import matches

SOURCE = "alerting"
"""The source of alerts' own events, which are never counted: an alert would keep itself alive."""
_ERROR, _LAST_STAGE = "error", "saving_message"


class Measures:
    """The measures of one look. Methods raise StoreUnavailable."""

    def __init__(self, bus: Bus, store: Store) -> None:
        self._bus = bus
        self._store = store
        # One question for all rules with the same window.
        self._kinds = functools.cache(self._asked)

    def _asked(self, window_seconds: float) -> Sequence[Kind]:
        return [kind for kind in measures.kinds(self._store, window_seconds) if kind.source_system != SOURCE]

    def value_of(self, rule: AlertRule) -> float | None:
        """What the rule measures now; None where nobody can tell."""
        try:
            match rule.metric:
                case Metric.ERROR_RATE:
                    return self._error_rate(rule)
                case Metric.STAGE_P95_MS:
                    return p95(measures.durations_ms(self._store, str(rule.stage), rule.window_seconds))
                case Metric.STUCK_RUNS:
                    return float(self._bus.overdue_runs(rule.age_seconds))
                case Metric.RECORDER_LAG:
                    return float(self._bus.log.backlog())
                case Metric.EVENTS:
                    return float(sum(kind.count for kind in self._kinds(rule.window_seconds) if fits(rule, kind)))
        except BusUnavailable:
            return None

    def _error_rate(self, rule: AlertRule) -> float:
        """The share of messages, or of a stage's runs, that failed; not those that their users cancelled."""
        found = [kind for kind in self._kinds(rule.window_seconds) if kind.reason != Reason.CANCELLED]
        bad_type, good_type = (rule.stage, rule.stage) if rule.stage else (_ERROR, _LAST_STAGE)
        bad = sum(kind.count for kind in found if (kind.event_type, kind.status) == (bad_type, Status.FAILED))
        good = sum(kind.count for kind in found if (kind.event_type, kind.status) == (good_type, Status.COMPLETED))
        return bad / (bad + good) if bad + good >= rule.at_least else 0.0


def fits(rule: AlertRule, kind: Kind) -> bool:
    """Whether a rule counts events of this kind."""
    if kind.event_type == catalog.SPAN_TYPE and not rule.event_types:
        return False
    return (
        (not rule.event_types or any(matches(pattern, kind.event_type) for pattern in rule.event_types))
        and (not rule.categories or kind.category in rule.categories)
        and (not rule.priorities or kind.priority in rule.priorities)
    )


def p95(values: Sequence[int]) -> float:
    """The value below or at which 95 of 100 lie; 0 for none."""
    ordered = sorted(values)
    return float(ordered[math.ceil(len(ordered) * 0.95) - 1]) if ordered else 0.0
