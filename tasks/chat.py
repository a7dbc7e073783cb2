"""The one door for the web: an accepted message becomes a run, and its first stage is sent."""

from __future__ import annotations

from opentelemetry.context import Context

from pipeline import catalog
from pipeline.bus import Bus
from pipeline.context import Audience, to_headers, trace_of, with_audience
from pipeline.event import Identity
from tasks.celery import app
from tasks.envelope import Envelopes, pushes_directly

FIRST_STAGE = "receive"


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
