"""Looking after runs that do not go on by themselves: a lost worker, a lost message, a lost Redis.

Several watchdogs do no harm: each decision is one script, and the second finds it made.
"""

from __future__ import annotations

import collections
import datetime
import logging
from collections.abc import Sequence

import orjson
from opentelemetry.context import Context

from pipeline import catalog
from pipeline.bus import Bus, QueueIs
from pipeline.context import Audience, remote_span, span_id_of
from pipeline.errors import BusUnavailable, FenceLost
from pipeline.event import Category, Event, Identity, Priority, Reason, State, Status
from pipeline.store import Store, conversations, events
from pipeline.store.conversations import Message
from tasks.broker import broker
from tasks.celery import app
from tasks.envelope import Envelopes, pushes_directly
from tasks.failure import error_state, fail_run, progress_of_retry
from tasks.left_run import left_run

logger = logging.getLogger(__name__)
_EVENTS_LIMIT = 1_000


def look_after_due(bus: Bus, limit: int) -> collections.Counter[str]:
    """Resumes, sends again or fails the runs that are due. Returns how often each was done.

    Raises BusUnavailable.
    """
    done: collections.Counter[str] = collections.Counter()
    queues = Queues()
    for message_id in bus.due(limit):
        done[_look_after(bus, queues, message_id)] += 1
    return done


class Queues:
    """What a broker that is not the bus's Redis says of its queues, asked once for each queue and look.

    A run that is due was queued before the look began, so its message is not in a queue that is empty then.
    """

    def __init__(self) -> None:
        self._known: dict[str, QueueIs] = {}
        self.away = False
        """Whether the broker did not answer: then nobody waits for it again in this look."""

    def state(self, queue: str) -> QueueIs:
        """Whether the queue is empty."""
        if queue not in self._known and not self.away:
            try:
                self._known[queue] = QueueIs.FILLED if broker().waiting(queue) else QueueIs.EMPTY
            except BusUnavailable as error:
                logger.warning("the broker's queues are not known: %s", error)
                self.away = True
        return self._known.get(queue, QueueIs.UNKNOWN)


def _look_after(bus: Bus, queues: Queues, message_id: str) -> str:
    run = left_run(bus, message_id)
    if run is None:
        bus.forget_due(message_id)
        return "gone"
    session_id, stage, headers, audience = run.session_id, run.stage, run.headers, run.audience
    direct = pushes_directly()
    envelopes = Envelopes(app, direct)
    envelope = envelopes.seal(stage, session_id, message_id, headers)
    state = progress_of_retry(audience.language, "LeaseExpired", Reason.WORKER_LOST, 0, None)
    queue_is = QueueIs.HERE if direct else queues.state(envelope.queue)
    word = bus.resume(session_id, message_id, stage, state, envelope.queue, envelope.body, queue_is)
    if word in {"resumed", "sent"}:
        logger.warning("%s of %s was %s", stage, message_id, word)
        if not envelope.body and not queues.away:
            envelopes.publish(envelope, stage, session_id, message_id, headers)
    if word == "exhausted":
        _give_up(bus, audience, stage)
    return word


def _give_up(bus: Bus, audience: Audience, stage: str) -> None:
    running = bus.run_fields(audience.message_id, ["state"])[0] == b"running"
    reason = Reason.WORKER_LOST if running else Reason.EXPIRED
    try:
        fail_run(bus, audience, stage, ("any", ""), reason, "LeaseExpired", None)
    except FenceLost:
        return


def unsent(store: Store, older_than_seconds: float, limit: int) -> list[Message]:
    """Accepted messages that have had no ending for so long: perhaps they were never sent, or Redis lost their run."""
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=older_than_seconds)
    return conversations.accepted_before(store, before, limit)


def fail_lost_run(bus: Bus, store: Store, message: Message) -> bool:
    """Ends a message whose run was lost with Redis after it had begun; False when it had not: then send it again.

    What its stored events left open is ended, children first, then the message's error event is written; each once.
    """
    told = events.message_events(store, message.message_id, _EVENTS_LIMIT)
    if not told:
        return False
    end_lost_spans(bus, message.message_id, message.language, _left_open(told))
    last = _identity(orjson.loads(told[-1].wire))
    error = Identity(
        "error",
        Category.WORKFLOW,
        Priority.HIGH,
        last.session_id,
        last.message_id,
        last.user_id,
        last.correlation_id,
        last.trace_id,
        span_id_of(message.message_id, "message"),
    )
    end_lost_message(bus, message, error)
    return True


def end_lost_spans(bus: Bus, message_id: str, language: str, identities: Sequence[Identity]) -> int:
    """Ends spans whose run was lost, in the given order, each once. Returns how many."""
    for identity in identities:
        text = catalog.user_message(identity.event_type, Status.FAILED, language)
        state = State(Status.FAILED, text, {"error": "worker_lost"}, None, Reason.WORKER_LOST, "RunLost")
        audience = "user" if identity.session_id else "operator"
        bus.append(identity, state, emitter_key=f"lost:{message_id}:{identity.span_id}", audience=audience)
    return len(identities)


def end_lost_message(bus: Bus, message: Message, error: Identity) -> None:
    """Writes the error event of a message whose run was lost, once."""
    state = error_state(message.language, Reason.WORKER_LOST, "RunLost", None)
    bus.append(error, state, emitter_key=f"lost:{message.message_id}:error")


def _left_open(told: list[Event]) -> list[Identity]:
    opened: dict[str, Identity] = {}
    for event in told:
        fields = orjson.loads(event.wire)
        if event.event_status == Status.STARTED:
            opened[fields["span_id"]] = _identity(fields)
        elif event.event_status in {Status.COMPLETED, Status.FAILED}:
            opened.pop(fields["span_id"], None)
    return list(opened.values())[::-1]


def _identity(fields: dict[str, str]) -> Identity:
    return Identity(
        event_type=fields["event_type"],
        category=Category(fields["category"]),
        priority=Priority(fields["priority"]),
        session_id=fields["session_id"],
        message_id=fields["message_id"],
        user_id=fields["user_id"],
        correlation_id=fields["correlation_id"],
        trace_id=fields["trace_id"],
        span_id=fields["span_id"],
        parent_span_id=fields["parent_span_id"],
    )


def context_of_message(message: Message) -> Context:
    """A context for a run that is sent long after its request: the message's trace, and a root of its own."""
    return remote_span(message.trace_id or "0" * 31 + "1", span_id_of(message.message_id, "message"))
