"""The message that Celery would send for a stage, as the bytes that kombu would put into Redis.

`end.lua` pushes it together with the stage's ending, so that nothing lies between "done" and "next". Celery builds
headers and body (`as_task_v2`), kombu's JSON encodes them; only the frame around them is written here. A test
compares it with what kombu sends, and a worker does so once at its start: where they differ, stages are published
by kombu instead.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import functools
import json
import logging
import uuid
from collections.abc import Mapping
from typing import Any

from celery import Celery
from kombu import Connection, Queue
from kombu.utils.json import dumps

from pipeline import settings as settings_table
from pipeline.errors import BusUnavailable
from tasks.broker import Broker, broker
from tasks.celery import app as spanfeed_app
from tasks.celery import queue_name, task_name

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Envelope:
    """A stage's message: the broker's queue, the task's id, and the bytes to push ('' when kombu must publish)."""

    queue: str
    task_id: str
    body: bytes


class Envelopes:
    """Makes envelopes for one Celery app. `direct` says whether the script may push them itself."""

    def __init__(self, app: Celery, direct: bool) -> None:
        self._app = app
        self.direct = direct
        prefix = app.conf.broker_transport_options.get("global_keyprefix", "")
        self._prefix = str(prefix)

    def seal(
        self, stage: str, session_id: str, message_id: str, headers: Mapping[str, str], wait_ms: int = 0
    ) -> Envelope:
        """The message for a stage of a run; it is to begin not before `wait_ms` from now."""
        task_id = str(uuid.uuid4())
        queue = queue_name(stage)
        if not self.direct:
            return Envelope(queue, task_id, b"")
        eta = None
        if wait_ms:
            eta = datetime.datetime.now(datetime.UTC) + datetime.timedelta(milliseconds=wait_ms)
        message = self._app.amqp.as_task_v2(
            task_id,
            task_name(stage),
            args=[session_id, message_id],
            eta=eta,
            argsrepr=arguments_shown(session_id, message_id),
            kwargsrepr="{}",
            ignore_result=True,
        )
        return Envelope(self._prefix + queue, task_id, self.frame(queue, message, headers))

    def frame(self, queue: str, message: Any, headers: Mapping[str, str]) -> bytes:
        """As `kombu.transport.virtual.Channel.basic_publish` and its Redis channel's `_put` would write it."""
        encoded: str = dumps(
            {
                "body": base64.b64encode(dumps(message.body).encode()).decode(),
                "content-encoding": "utf-8",
                "content-type": "application/json",
                "headers": {**message.headers, **headers},
                "properties": {
                    **message.properties,
                    "delivery_mode": 2,
                    "delivery_info": {"exchange": "", "routing_key": queue},
                    "priority": 0,
                    "body_encoding": "base64",
                    "delivery_tag": str(uuid.uuid4()),
                },
            }
        )
        return encoded.encode()

    def publish(
        self,
        envelope: Envelope,
        stage: str,
        session_id: str,
        message_id: str,
        headers: Mapping[str, str],
        wait_ms: int = 0,
    ) -> bool:
        """Sends by kombu what the script could not push; False when the broker is away: then the watchdog will."""
        try:
            broker().publish(
                task_name(stage),
                args=[session_id, message_id],
                task_id=envelope.task_id,
                queue=queue_name(stage),
                countdown=wait_ms / 1000 if wait_ms else None,
                headers=dict(headers),
                argsrepr=arguments_shown(session_id, message_id),
                kwargsrepr="{}",
                ignore_result=True,
            )
        except BusUnavailable as error:
            logger.warning("%s of %s waits to be sent: %s", stage, message_id, error)
            return False
        return True


def arguments_shown(session_id: str, message_id: str) -> str:
    """What Flower shows of a stage's arguments: two ids."""
    return f"('{session_id}', '{message_id}')"


def is_same_redis(bus_url: str, broker_url: str) -> bool:
    """Whether the broker's lists lie in the bus's Redis and database."""
    return bus_url.startswith(("redis://", "rediss://")) and bus_url.rstrip("/") == broker_url.rstrip("/")


def matches_kombu(app: Celery, envelopes: Envelopes) -> bool:
    """Whether an envelope has the shape of what kombu itself puts into Redis: checked by sending one of each.

    The probe goes to a queue of its own, which is taken away again. Raises BusUnavailable.
    """
    probe = f"spanfeed.probe.{uuid.uuid4().hex}"
    headers = {"traceparent": "00-" + "1" * 32 + "-" + "1" * 16 + "-01", "baggage": "session.id=s"}
    message = app.amqp.as_task_v2(
        "probe", "spanfeed.probe", args=["s", "m"], argsrepr="", kwargsrepr="{}", ignore_result=True
    )
    own = json.loads(envelopes.frame(probe, message, headers))

    def sent(connection: Connection) -> Any:
        with connection.channel() as channel:
            with app.amqp.Producer(channel, auto_declare=False) as producer:
                queue = Queue(probe, routing_key=probe)
                app.amqp.send_task_message(
                    producer,
                    "spanfeed.probe",
                    message,
                    queue=queue,
                    headers=headers,
                    serializer="json",
                    declare=[queue],
                )
            raw = channel.client.rpop(probe)
            channel.queue_delete(probe)
            return raw

    own_broker = Broker(app)
    try:
        raw = own_broker.speak(sent)
    finally:
        own_broker.close()
    if raw is None:
        return False
    return _shape(json.loads(raw)) == _shape(own)


@functools.cache
def pushes_directly() -> bool:
    """Whether scripts may push messages themselves: the broker is the bus's Redis and kombu would write the same.

    A worker asks before it forks, so that its children need not. Raises BusUnavailable.
    """
    settings = settings_table.load()
    if not is_same_redis(settings.redis_url, settings.celery_broker_url):
        return False
    same = matches_kombu(spanfeed_app, Envelopes(spanfeed_app, direct=True))
    if not same:
        logger.warning("kombu writes messages in another form than this program: stages are published by kombu")
    return same


def _shape(message: dict[str, Any]) -> dict[str, Any]:
    """The message without what differs from one sending to the next."""
    shaped = json.loads(json.dumps(message))
    shaped["properties"].pop("delivery_tag", None)
    for name in ("id", "root_id", "origin"):
        shaped["headers"].pop(name, None)
    return dict(shaped)
