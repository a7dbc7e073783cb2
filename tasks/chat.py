"""The one door for the web: an accepted message becomes a run, and its first stage is sent."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.context import Context

from pipeline import catalog
from pipeline.bus import Bus
from pipeline.context import Audience, to_headers, trace_of, with_audience
from pipeline.errors import FenceLost
from pipeline.event import Identity, Reason
from pipeline.store import Store, conversations, events
from tasks.celery import STAGES, app, queue_name
from tasks.envelope import Envelopes, pushes_directly
from tasks.failure import fail_run
from tasks.holders import look_after_dead
from tasks.watch import context_of_message, end_lost_message, end_lost_spans, fail_lost_run, look_after_due, unsent

FIRST_STAGE = "receive"
QUEUES = tuple(queue_name(name) for name in (*STAGES, "maintenance"))
"""Every queue that a worker must take from."""
__all__ = ["QUEUES", "cancel", "close_lost", "look_after_dead", "look_after_due", "look_after_unsent", "submit"]


def submit(bus: Bus, audience: Audience, context: Context) -> bool:
    """Makes the run of a message that the database holds, and sends it to its first stage; only ids are sent.

    `context` holds the span that all of the run's spans lie under. False when the run was made before. Raises
    BusUnavailable; then nothing was sent, or the same call may be made again.
    """
    headers = to_headers(with_audience(audience, context))
    envelopes = Envelopes(app, pushes_directly())
    envelope = envelopes.seal(FIRST_STAGE, audience.session_id, audience.message_id, headers)
    made = bus.submit(
        audience.message_id,
        audience.session_id,
        audience.user_id,
        FIRST_STAGE,
        error_identity(audience, context),
        envelope.queue,
        envelope.body,
        headers,
    )
    if made and not envelope.body:
        envelopes.publish(envelope, FIRST_STAGE, audience.session_id, audience.message_id, headers)
    return made


def error_identity(audience: Audience, context: Context) -> Identity:
    """What the run's error event will share with its root span."""
    kind = catalog.lookup("error")
    trace_id, span_id = trace_of(context)
    return Identity(
        event_type=kind.name,
        category=kind.category,
        priority=kind.priority,
        session_id=audience.session_id,
        message_id=audience.message_id,
        user_id=audience.user_id,
        correlation_id=audience.message_id,
        trace_id=trace_id,
        span_id=span_id,
    )


def cancel(bus: Bus, audience: Audience) -> bool:
    """Ends a message's run, whatever it is doing; False when it has ended (or was never sent).

    The stage that works on it finds that it has lost the fence with its next piece or its next lease renewal.
    """
    try:
        fail_run(bus, audience, "", ("any", ""), Reason.CANCELLED, "Cancelled", None)
    except FenceLost:
        return False
    return True


def look_after_unsent(bus: Bus, store: Store, older_than_seconds: float, limit: int) -> int:
    """Sends accepted messages that have no run; ends those whose run was lost after it had begun. Returns how many.

    Only for when everything in the log is stored: what a message has told must be in the database. Raises
    BusUnavailable or StoreUnavailable.
    """
    looked_after = 0
    for message in unsent(store, older_than_seconds, limit):
        if bus.run_state(message.message_id).status:
            continue
        looked_after += 1
        if not fail_lost_run(bus, store, message):
            session = conversations.find_session(store, message.session_id)
            user_id = session.user_id if session else None
            audience = Audience(message.session_id, message.message_id, user_id, message.language)
            submit(bus, audience, context_of_message(message))
    return looked_after


def close_lost(bus: Bus, store: Store, message_id: str, left_open: Sequence[Identity]) -> int:
    """Ends what a lost run left open, children first, and its message where that has no ending yet.

    `left_open` are the spans in the order of their start. Each ending is written once, whoever else does the same.
    Returns how many events were written; 0 for a run that lives. Raises BusUnavailable or StoreUnavailable.
    """
    if bus.run_state(message_id).status == "live":
        return 0
    message = conversations.find_message(store, message_id)
    ended = end_lost_spans(bus, message_id, message.language if message else "en", left_open[::-1])
    if message is None or message.status != "accepted":
        return ended
    session = conversations.find_session(store, message.session_id)
    audience = Audience(message.session_id, message_id, session.user_id if session else None, message.language)
    error = error_identity(audience, context_of_message(message))
    told = bool(left_open) or bool(events.message_events(store, message_id, 1))
    # A run of its own keeps the watchdog from sending a message that has told nothing.
    if not told and bus.submit(message_id, message.session_id, audience.user_id, FIRST_STAGE, error, "none", b""):
        fail_run(bus, audience, "", ("any", ""), Reason.WORKER_LOST, "RunLost", None)
    elif bus.run_state(message_id).status == "live":
        return ended
    else:
        end_lost_message(bus, message, error)
    return ended + 1
