"""Delivering what waits for one subscriber: attempts, further attempts, and rest for a receiver that keeps failing."""

from __future__ import annotations

import datetime
import logging
import random
import secrets
import threading
import time
from collections.abc import Sequence

from pipeline.event import Category, Priority
from pipeline.settings import Settings
from pipeline.store import Store, deliveries, subscriptions
from pipeline.store.deliveries import Attempt, Work
from pipeline.store.subscriptions import Subscription
from pipeline.subscriptions import mail, receiver
from pipeline.subscriptions.matching import CIRCUIT_CLOSED, CIRCUIT_OPENED, USER
from pipeline.subscriptions.payload import webhook_id
from pipeline.subscriptions.receiver import Outcome
from pipeline.subscriptions.signing import secret_of, signature_of
from pipeline.unified.event import ABOUT_DELIVERY, UnifiedEvent
from pipeline.unified.system import EventSystem, Wish

logger = logging.getLogger(__name__)
WEBHOOK, EMAIL = "webhook", "email"
CHANNELS = (WEBHOOK, EMAIL)
_MARGIN_SECONDS = 5.0
_LOST_RIGHTS = "its owner may not see these events any more"


class Deliverer:
    """Carries events to receivers. Safe to use from several threads, each with another subscription."""

    def __init__(self, settings: Settings, store: Store, events: EventSystem) -> None:
        self._settings = settings
        self._store = store
        self._events = events
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Ends what is under way behind the attempts at hand; somebody else goes on."""
        self._stopped.set()

    def serve(self, subscription_id: str) -> bool:
        """Delivers what is due, for a bounded time; False when somebody else does, or nothing may be delivered.

        Raises StoreUnavailable; what was delivered and could not be noted is delivered again.
        """
        token = secrets.token_hex(8)
        if not deliveries.take(self._store, subscription_id, token, self._lease_seconds()):
            return False
        try:
            return self._serve(subscription_id)
        finally:
            deliveries.give_back(self._store, subscription_id, token)

    def _serve(self, subscription_id: str) -> bool:
        until = time.monotonic() + self._settings.delivery_slice_seconds
        while True:
            # Asked anew each time: whoever was shut out, or has changed the receiver, is not to wait for it.
            found = subscriptions.living(self._store, subscription_id)
            if not found:
                self._without_rights(subscription_id)
                return False
            [one] = found
            if one.is_open_at(datetime.datetime.now(datetime.UTC)):
                return True
            works = deliveries.waiting(self._store, subscription_id, self._batch_limit(one))
            if not works:
                return True
            if one.channel == EMAIL:
                self._attempted(one, works, mail.send(one, works, self._settings))
            else:
                self._post(one, works[0])
            if self._stopped.is_set() or time.monotonic() >= until:
                return True

    def _lease_seconds(self) -> float:
        """How long an attempt may take: whoever was killed in one is not waited for any longer."""
        settings = self._settings
        mail_seconds = settings.smtp_timeout_seconds if settings.smtp_host else 0.0
        return max(settings.delivery_timeout_seconds, mail_seconds) + _MARGIN_SECONDS

    def _batch_limit(self, one: Subscription) -> int:
        return self._settings.mail_digest_limit_events if one.channel == EMAIL else 1

    def _without_rights(self, subscription_id: str) -> None:
        one = subscriptions.find(self._store, subscription_id)
        if one is not None and one.enabled:
            count = deliveries.give_up(self._store, subscription_id, _LOST_RIGHTS)
            logger.warning("%d deliveries of %s are given up: %s", count, subscription_id, _LOST_RIGHTS)

    def _post(self, one: Subscription, work: Work) -> None:
        settings = self._settings
        now = int(time.time())
        name = webhook_id(work.event_id)
        secret = secret_of(settings, one.subscription_id, one.secret_version)
        headers = {
            "User-Agent": "Spanfeed",
            "Content-Type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(now),
            "webhook-signature": signature_of(secret, name, now, work.payload),
        }
        self._attempted(one, [work], receiver.post(one.target, headers, work.payload, settings))

    def _attempted(self, one: Subscription, works: Sequence[Work], outcome: Outcome) -> None:
        """Notes how an attempt went, and tells when a receiver is left alone, or is well again."""
        settings, now = self._settings, datetime.datetime.now(datetime.UTC)
        attempts = [(work.id, self._attempt(work, outcome, now)) for work in works]
        failures = 0 if outcome.error is None else one.failures + 1
        limit = max(1, settings.delivery_circuit_failures_limit)
        rests = failures >= limit
        open_until = now + datetime.timedelta(seconds=settings.delivery_circuit_open_seconds) if rests else None
        deliveries.settle(self._store, one.subscription_id, attempts, failures, open_until, self._lease_seconds())
        if rests and one.failures < limit:
            self._tell(one, CIRCUIT_OPENED, f"{one.name}: the receiver has failed {failures} times", failures)
        elif outcome.error is None and one.failures >= limit:
            self._tell(one, CIRCUIT_CLOSED, f"{one.name}: the receiver answers again", one.failures)

    def _attempt(self, work: Work, outcome: Outcome, now: datetime.datetime) -> Attempt:
        number = work.attempts + 1
        if outcome.error is None:
            return Attempt(deliveries.DELIVERED, number, None, outcome.http_status, outcome.latency_ms)
        over = outcome.final or number >= self._settings.delivery_tries_limit
        due_at = None if over else now + datetime.timedelta(seconds=self.pause_seconds(number))
        status = deliveries.DEAD if over else deliveries.PENDING
        return Attempt(status, number, due_at, outcome.http_status, outcome.latency_ms, outcome.error)

    def pause_seconds(self, attempts: int) -> float:
        """The wait behind so many attempts: doubled each time up to a limit, and between half of it and all of it."""
        settings = self._settings
        doubled = settings.delivery_backoff_seconds * 2.0 ** min(attempts - 1, 32)
        longest = min(doubled, settings.delivery_backoff_limit_seconds)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter  # nosec

    def _tell(self, one: Subscription, what: str, sentence: str, failures: int) -> None:
        """An event for operators, and for the user whose subscription it is; it is delivered to nobody."""
        data = {"subscription_id": one.subscription_id, "name": one.name, "channel": one.channel, "failures": failures}
        event = UnifiedEvent(
            Category.MONITORING,
            what,
            data=data,
            user_id=one.user_id if one.sees == USER else None,
            priority=Priority.HIGH,
        )
        self._events.emit_event(event, Wish(sentence=sentence, metadata={ABOUT_DELIVERY: one.subscription_id}))
