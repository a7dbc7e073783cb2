"""Evaluating: every few seconds one process looks whether rules hold, and tells what has fired and what is over."""

from __future__ import annotations

import datetime
import logging
import os
import socket
import threading

from pipeline.alerting.measuring import SOURCE, Measures
from pipeline.alerting.rules import AlertRule, all_rules, rules_of_file
from pipeline.bus import Bus
from pipeline.catalog import Audience
from pipeline.errors import SpanfeedError
from pipeline.event import Category
from pipeline.settings import Settings
from pipeline.store import Store, alerts, leases
from pipeline.store.alerts import Alert
from pipeline.unified.emit import severity_priority
from pipeline.unified.event import UnifiedEvent
from pipeline.unified.patterns import matches
from pipeline.unified.system import EventSystem, Wish

logger = logging.getLogger(__name__)
LEASE = "alerts"
_LEASE_LOOKS = 3
_LEASE_MARGIN_SECONDS = 5.0
_PATIENCE_SECONDS = 10.0


class Evaluator:
    """Looks at all rules; of several evaluators the one with the lease does."""

    def __init__(self, settings: Settings, bus: Bus, store: Store, events: EventSystem) -> None:
        """Raises SettingError for a file of rules that cannot be used."""
        self._settings = settings
        self._bus = bus
        self._store = store
        self._events = events
        self._of_file = rules_of_file(settings)
        self._holder = f"{socket.gethostname()}/{os.getpid()}/{id(self):x}"
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Looks in a thread of its own."""
        self._thread = threading.Thread(target=self.run, name="alerts", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends behind the look at hand, and lets another evaluator take over at once."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE_SECONDS)

    def run(self) -> None:
        """Looks again and again until `stop`."""
        while not self._stopped.wait(max(0.1, self._settings.alert_interval_seconds)):
            try:
                self.look()
            except SpanfeedError as error:
                logger.warning("alerts are not looked at for now: %s", error)
            except Exception:
                # A rule that cannot be looked at must not end the looking.
                logger.exception("the evaluator of alerts stumbled")
        try:
            leases.give_back(self._store, LEASE, self._holder)
        except SpanfeedError as error:
            logger.warning("the lease of alerts runs out by itself: %s", error)

    def look(self) -> bool:
        """Looks once; False when another evaluator does. Raises StoreUnavailable."""
        rules = all_rules(self._of_file, self._store).enabled()
        standing = alerts.standing(self._store)
        if not rules and not standing:
            return True
        seconds = self._settings.alert_interval_seconds * _LEASE_LOOKS + _LEASE_MARGIN_SECONDS
        if not leases.take(self._store, LEASE, self._holder, seconds):
            return False
        silenced = [silence.rule for silence in alerts.silences(self._store)]
        measured = Measures(self._bus, self._store)
        for rule in rules:
            value = measured.value_of(rule)
            if value is not None:
                quiet = any(matches(pattern, rule.name) for pattern in silenced)
                self._judge(rule, value, standing.pop(rule.name, None), quiet)
            else:
                standing.pop(rule.name, None)
        for alert in standing.values():
            # Its rule is gone, or turned off.
            self._over(alert, alert.value, f"{alert.rule} is looked at no more")
        return True

    def _judge(self, rule: AlertRule, value: float, alert: Alert | None, quiet: bool) -> None:
        if value <= rule.above:
            if alert is not None:
                self._over(alert, value, f"{_said(rule)} is over: {rule.metric} is {value:g}")
            return
        if alert is None:
            alert = alerts.begin(self._store, rule.name, str(rule.severity), value, rule.above)
        if alert.status == alerts.PENDING:
            now = datetime.datetime.now(datetime.UTC)
            if (now - alert.since).total_seconds() < rule.for_seconds:
                return
            alerts.change(self._store, alert.id, status=alerts.FIRING, fired_at=now, value=value)
        if not alert.told and not quiet:
            sentence = f"{_said(rule)}: {rule.metric} is {value:g}, above {rule.above:g}"
            if self._tell(alert, "fired", sentence, value):
                alerts.change(self._store, alert.id, told=True)

    def _over(self, alert: Alert, value: float, sentence: str) -> None:
        if alert.status == alerts.PENDING:
            alerts.forget(self._store, alert.id)
        elif not alert.told or self._tell(alert, "resolved", sentence, value):
            now = datetime.datetime.now(datetime.UTC)
            alerts.change(self._store, alert.id, status=alerts.RESOLVED, resolved_at=now)

    def _tell(self, alert: Alert, state: str, sentence: str, value: float) -> bool:
        """Whether it is told; told again it is written once."""
        data = {
            "message": sentence,
            "severity": alert.severity,
            "alert": alert.rule,
            "alert_id": alert.id,
            "state": state,
            "value": value,
            "threshold": alert.threshold,
        }
        event = UnifiedEvent(
            Category.MONITORING,
            "system.alert",
            data=data,
            priority=severity_priority(alert.severity),
            source_system=SOURCE,
        )
        wish = Wish(Audience.OPERATOR, sentence, key=f"alert:{alert.id}:{state}")
        return bool(self._events.emit_event(event, wish))


def _said(rule: AlertRule) -> str:
    return rule.message or rule.name
