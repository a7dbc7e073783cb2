"""Feeding: reads the log as a durable handler and keeps what is to be delivered, in batches.

An entry is acknowledged when its deliveries stand in the database. Nothing here waits for a receiver.
"""

from __future__ import annotations

import datetime
import functools
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence

import orjson

from pipeline.bus import Bus
from pipeline.bus.log import Entry
from pipeline.errors import BusUnavailable, InvalidEvent, StoreUnavailable
from pipeline.event import check_type
from pipeline.settings import Settings
from pipeline.store import Store, deliveries, subscriptions
from pipeline.store.deliveries import Draft
from pipeline.store.subscriptions import Subscription
from pipeline.subscriptions.delivering import EMAIL
from pipeline.subscriptions.matching import is_wanted, wants_type
from pipeline.subscriptions.payload import payload_of

logger = logging.getLogger(__name__)
NAME = "subscriptions"
"""The durable handler's name, under which its cursor and what it could not read are kept."""
_READ_ENTRIES = 500
_READ_WAIT_MS = 500
_CLAIM_EVERY_SECONDS = 5.0
_CLAIM_IDLE_MS = 60_000
_LOOK_EVERY_SECONDS = 1.0
_SENT_AGAIN_SECONDS = 10.0
"""After so long without anybody at work a subscription is sent for again: the message may be lost."""
_DUE_LIMIT = 1_000
_AWAY_SECONDS = 0.5
_PATIENCE_SECONDS = 10.0

Send = Callable[[str], None]
"""Has somebody serve a subscription. Raises BusUnavailable."""


class Feeder:
    """One reader of the log; several share its events. `send` is called for what is due."""

    def __init__(self, settings: Settings, bus: Bus, store: Store, send: Send) -> None:
        self._settings = settings
        self._log = bus.handler_log
        self._store = store
        self._send = send
        self._consumer = f"{socket.gethostname()}/{os.getpid()}"
        self._held: Sequence[Entry] = ()
        """What was read and could not be kept yet."""
        self._claim_at = self._look_at = 0.0
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Runs in a thread of its own, from the log's end if nobody has fed before."""
        self._thread = threading.Thread(target=self.run, name="subscriptions", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends behind the batch at hand."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE_SECONDS)

    def run(self) -> None:
        """Feeds until `stop`; waits for Redis or the database when they are away."""
        while not self._stopped.is_set():
            try:
                self.turn()
            except (BusUnavailable, StoreUnavailable) as error:
                logger.warning("subscriptions wait: %s", error)
                self._stopped.wait(_AWAY_SECONDS)
            except Exception:
                # Whoever reads must go on reading: the log waits for it.
                logger.exception("the feeder of subscriptions stumbled")
                self._stopped.wait(_AWAY_SECONDS)

    def turn(self) -> None:
        """Reads once, keeps what is to be delivered, and sends for what is due.

        Raises BusUnavailable and StoreUnavailable; what was read is kept at the next turn.
        """
        self._held = self._held or self._read()
        if self._held:
            new = self._kept(self._held)
            self._log.acknowledge(NAME, *(entry.entry_id for entry in self._held))
            self._held = ()
            self._look_at = 0.0 if new else self._look_at
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _LOOK_EVERY_SECONDS
            self._send_due()

    def _read(self) -> Sequence[Entry]:
        if time.monotonic() >= self._claim_at:
            self._claim_at = time.monotonic() + _CLAIM_EVERY_SECONDS
            self._join()
            claimed = self._log.claim(NAME, self._consumer, _CLAIM_IDLE_MS, _READ_ENTRIES)
            if claimed:
                return [entry for entry, _ in claimed]
        return self._log.read_new(NAME, self._consumer, _READ_ENTRIES, _READ_WAIT_MS)

    def _join(self) -> None:
        """Makes the cursor where it is missing: where the oldest subscription begins, or at the log's end."""
        if any(one.name == NAME for one in self._log.facts()):
            return
        begins = [one.since_id for one in subscriptions.living(self._store)]
        self._log.join(NAME, f"{min(begins)}-0" if begins else "$")

    def _kept(self, entries: Sequence[Entry]) -> int:
        try:
            return self._keep(entries)
        except (BusUnavailable, StoreUnavailable):
            raise
        except Exception:
            logger.warning("subscriptions: of %d entries one cannot be kept", len(entries), exc_info=True)
            return sum(self._keep_one(entry) for entry in entries)

    def _keep_one(self, entry: Entry) -> int:
        """One that nobody can keep is put aside, so that it does not stop the others."""
        try:
            return self._keep([entry])
        except (BusUnavailable, StoreUnavailable):
            raise
        except Exception as error:
            logger.exception("subscriptions: %s is put aside", entry.entry_id)
            self._log.bury(NAME, entry, f"could not be kept: {type(error).__name__}")
            return 0

    def _keep(self, entries: Sequence[Entry]) -> int:
        # Read behind the entries: who subscribed before an event came is among them.
        wanting = subscriptions.living(self._store)
        if not wanting:
            return 0
        # Of a batch's types there are few: which subscriptions want one is looked up once.
        of_type = functools.cache(lambda name: [one for one in wanting if wants_type(one, name)])
        drafts = [draft for entry in entries for draft in self._drafts(entry, of_type)]
        if not drafts:
            return 0
        return deliveries.queue(self._store, drafts, self._settings.delivery_pending_limit_events)

    def _drafts(self, entry: Entry, of_type: Callable[[str], Sequence[Subscription]]) -> list[Draft]:
        if entry.wire is None:
            logger.error("subscriptions: the log has let %s go", entry.entry_id)
            return []
        try:
            said = orjson.loads(entry.wire)
            check_type(said["event_type"])
            if not isinstance(said["id"], int):
                raise InvalidEvent("its id is no whole number")
            fitting = [one for one in of_type(said["event_type"]) if is_wanted(one, said)]
            if not fitting:
                return []
            body = payload_of(entry.wire, said, self._settings.delivery_payload_limit_bytes)
            return [Draft(one.subscription_id, said["id"], said["event_type"], self._due(one), body) for one in fitting]
        except (InvalidEvent, ValueError, KeyError, TypeError, AttributeError) as error:
            self._log.bury(NAME, entry, f"not an event: {type(error).__name__}")
            return []

    def _due(self, one: Subscription) -> datetime.datetime:
        wait_seconds = self._settings.mail_digest_seconds if one.channel == EMAIL else 0.0
        return datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=wait_seconds)

    def _send_due(self) -> None:
        for one in deliveries.due(self._store, _DUE_LIMIT, _SENT_AGAIN_SECONDS):
            self._send(one)
