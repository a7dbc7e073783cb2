"""What the worker's main process does when a stage's child cannot speak any more: killed, or over its time limit.

Celery calls a request's methods there, in a thread that serves all children: a client of its own with a short
timeout keeps one slow answer from holding the others up.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
from typing import Any

from billiard.exceptions import WorkerLostError
from celery import bootsteps
from celery.worker.request import Request

from pipeline import settings as settings_table
from pipeline.bus import Bus, open_bus
from pipeline.context import CARRIED, Audience, audience_of, from_headers
from pipeline.errors import BusUnavailable, FenceLost
from pipeline.event import Reason
from pipeline.settings import Settings
from tasks.celery import app
from tasks.envelope import Envelopes, pushes_directly
from tasks.failure import fail_run, progress_of_retry
from tasks.runtime import holder_of

logger = logging.getLogger(__name__)
_TIMEOUT_MS = 500
_DEADLINE_SECONDS = 0.4
_LOOK_SECONDS = 0.05


@functools.cache
def _bus(_pid: int) -> Bus:
    settings: Settings = dataclasses.replace(
        settings_table.load(), script_timeout_ms=_TIMEOUT_MS, script_deadline_seconds=_DEADLINE_SECONDS
    )
    return open_bus(settings)


class LostChildren(bootsteps.StartStopStep):
    """Looks for dead children often.

    Celery looks when a child's pipe closes. The kernel closes it before the child can be waited for: a look that
    came too soon finds nothing, and the next is 5 s away (10 of 15 kills on a busy machine).
    """

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._timer: Any = None

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        """Celery calls this whenever the worker has connected to its broker."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = hub.call_repeatedly(_LOOK_SECONDS, worker.pool.maintain_pool)


class StageRequest(Request):
    """A stage's message in the worker's main process."""

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """A child was lost: the run is queued again, or fails when no try is left."""
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        lost = isinstance(error, WorkerLostError | SystemExit | KeyboardInterrupt)
        if (
            lost
            and not self._already_revoked
            and not self._already_cancelled
            and self._lose(send=True) in {"failed", "sent"}
        ):
            # Nothing is to be given back: the run has ended, or its next message is sent.
            self.acknowledge()
            self.send_event("task-failed", exception="WorkerLostError()", traceback="")
            return None
        return super().on_failure(exc_info, send_failed_event, return_ok)

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """The hard time limit: the child is killed and the run fails."""
        if not soft:
            self._fail(Reason.TIMEOUT, "TimeLimitExceeded")
        super().on_timeout(soft, timeout)

    def cancel(self, pool: Any, signal: Any = None, emit_retry: bool = True) -> None:
        """The worker ends before the stage does, after its soft shutdown: the run is queued again at once."""
        super().cancel(pool, signal, emit_retry)
        self._lose()

    def _announce_revoked(self, reason: str, terminated: bool, signum: Any, expired: bool) -> None:
        """Revoked while it ran or waited: the run ends as cancelled; a message that was too old: as expired."""
        why = Reason.EXPIRED if expired else Reason.CANCELLED
        self._fail(why, "Revoked")
        super()._announce_revoked(reason, terminated, signum, expired)

    def _ids(self) -> tuple[str, str]:
        session_id, message_id = self.args[:2]
        return str(session_id), str(message_id)

    def _headers(self) -> dict[str, str]:
        return {name: self.request_dict[name] for name in CARRIED if self.request_dict.get(name)}

    def _audience(self) -> Audience:
        headers = self._headers()
        return audience_of(from_headers(headers)) or Audience(*self._ids(), None, "en")

    def _stage(self) -> str:
        return str(self.name).partition(".")[2]

    def _by(self) -> tuple[str, str]:
        return ("holder", holder_of(self.worker_pid))

    def _lose(self, send: bool = False) -> str:
        """What became of the stage.

        `sent`: queued again with a new message; Celery would give the old one back only after it has started another
        child, 0.15 s later. `queued`: the old message must come back. `failed`. `kept`: the child did not hold the
        stage, or Redis cannot be asked.
        """
        bus = _bus(os.getpid())
        audience = self._audience()
        state = progress_of_retry(audience.language, "WorkerLostError", Reason.WORKER_LOST, 0, str(self.id))
        headers = self._headers()
        try:
            envelopes = Envelopes(app, send and pushes_directly())
            envelope = envelopes.seal(self._stage(), audience.session_id, audience.message_id, headers)
            tries = bus.release(
                audience.session_id,
                audience.message_id,
                self._stage(),
                self._by(),
                state,
                queue=envelope.queue,
                message=envelope.body,
            )
        except FenceLost:
            return "kept"
        except BusUnavailable as error:
            logger.error("a lost child could not be told to the bus: %s", error)
            return "kept"
        if tries is not None:
            return "sent" if envelope.body else "queued"
        self._fail(Reason.WORKER_LOST, "WorkerLostError")
        return "failed"

    def _fail(self, reason: Reason, error_type: str) -> None:
        bus = _bus(os.getpid())
        audience = self._audience()
        # A message that no child was given yet holds nothing: its run is queued.
        by = self._by() if self.worker_pid else ("queued", "")
        try:
            fail_run(bus, audience, self._stage(), by, reason, error_type, str(self.id))
        except FenceLost:
            return
        except BusUnavailable as error:
            logger.error("the end of a stage could not be told to the bus: %s", error)
