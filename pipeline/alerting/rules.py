"""Alert rules: what is measured, above what it is an alarm, and for how long it must hold."""

from __future__ import annotations

import dataclasses
import enum
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from pipeline import catalog
from pipeline.errors import SettingError
from pipeline.event import Category, Priority
from pipeline.rule_files import read_rules
from pipeline.settings import Settings
from pipeline.store import Store, alerts
from pipeline.unified.patterns import is_pattern

logger = logging.getLogger(__name__)
_SECONDS_LIMIT = 86_400


class Metric(enum.StrEnum):
    """What is measured."""

    ERROR_RATE = "error_rate"
    STAGE_P95_MS = "stage_p95_ms"
    STUCK_RUNS = "stuck_runs"
    RECORDER_LAG = "recorder_lag"
    EVENTS = "events"


class Severity(enum.StrEnum):
    """How grave an alert is; error is of high, critical of critical priority."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


def _pattern(text: str) -> str:
    if not is_pattern(text):
        raise ValueError("is no event type and no pattern such as document.*")
    return text


def _stage(text: str) -> str:
    if text not in catalog.STAGE_TYPES:
        raise ValueError(f"is none of {', '.join(catalog.STAGE_TYPES)}")
    return text


_Seconds = Annotated[float, Field(ge=0, le=_SECONDS_LIMIT, allow_inf_nan=False)]


class AlertRule(BaseModel):
    """A rule: it holds while `metric` is above `above`; after `for_seconds` of that it fires.

    `window_seconds` is how far back events are counted. `stage` narrows error_rate and is needed for stage_p95_ms;
    `at_least` is the number of endings below which error_rate says nothing; `age_seconds` is for stuck_runs;
    `event_types`, `categories` and `priorities` say which events are counted, all of them where they are empty.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    metric: Metric
    above: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    window_seconds: Annotated[float, Field(gt=0, le=_SECONDS_LIMIT, allow_inf_nan=False)] = 300.0
    for_seconds: _Seconds = 0.0
    severity: Severity = Severity.WARNING
    message: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    stage: Annotated[str, AfterValidator(_stage)] | None = None
    at_least: Annotated[int, Field(ge=1)] = 10
    age_seconds: _Seconds = 60.0
    event_types: Annotated[tuple[Annotated[str, AfterValidator(_pattern)], ...], Field(max_length=50)] = ()
    categories: tuple[Category, ...] = ()
    priorities: tuple[Priority, ...] = ()
    enabled: bool = True

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.metric is Metric.STAGE_P95_MS and self.stage is None:
            raise ValueError("stage is needed for stage_p95_ms")
        if self.metric is not Metric.EVENTS and (self.event_types or self.categories or self.priorities):
            raise ValueError("event_types, categories and priorities are for the metric events")
        return self


@dataclasses.dataclass(frozen=True)
class Rules:
    """The rules that there are: those of the file, and the stored ones with other names."""

    of_file: Sequence[AlertRule]
    stored: Sequence[AlertRule]

    def enabled(self) -> list[AlertRule]:
        """Those that are looked at."""
        return [rule for rule in (*self.of_file, *self.stored) if rule.enabled]


def rules_of_file(settings: Settings) -> list[AlertRule]:
    """The rules of the settings' file, none without one. Raises SettingError, which says where it is wrong."""
    if not settings.alert_rules_path:
        return []
    path, limit = Path(settings.alert_rules_path), settings.alert_rules_limit
    raw = read_rules(path, "SPANFEED_ALERT_RULES_PATH", "alert rules", "alert", limit)
    found = [_of_file(one, number) for number, one in enumerate(raw, start=1)]
    names = [rule.name for rule in found]
    for name in names:
        if names.count(name) > 1:
            raise SettingError(f"alert rules: there are two rules with the name {name}")
    return found


def _of_file(raw: Any, number: int) -> AlertRule:
    try:
        return AlertRule.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingError(f"alert rules: rule {number}: {where or 'rule'}: {first['msg']}") from None


def all_rules(of_file: Sequence[AlertRule], store: Store) -> Rules:
    """The file's rules and the stored ones; a stored one that cannot be used any more is left out, and logged.

    Raises StoreUnavailable.
    """
    taken, stored = {rule.name for rule in of_file}, []
    for kept in alerts.rules(store):
        if kept.name in taken:
            continue
        try:
            stored.append(AlertRule.model_validate(kept.definition))
        except ValidationError:
            logger.error("the alert rule %s cannot be used", kept.name)
    return Rules(of_file, stored)
