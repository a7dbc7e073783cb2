"""The peer of first_event.py and burst.py: what one writes in an afternoon with Flask, flask-sock, Celery, redis-py.

A POST sends a task, the task publishes one event on the session's channel, a thread a socket forwards the channel.
Nothing is stored, numbered, authorised or repeated. `gunicorn benchmarks.naive_app:web`,
`celery -A benchmarks.naive_app:worker`.
"""

from __future__ import annotations

import json
import os
import time
import uuid

import redis
from celery import Celery
from flask import Flask, Response, request
from flask_sock import Sock
from simple_websocket import Server

QUEUE = "naive"

web = Flask("naive")
sock = Sock(web)
worker = Celery("naive")
worker.config_from_object("celeryconfig")
client = redis.Redis.from_url(os.environ["REDIS_URL"])


def channel(session_id: str) -> str:
    """The name of a session's channel."""
    return f"naive:{session_id}"


@worker.task(name="naive.answer", queue=QUEUE)  # type: ignore[untyped-decorator]
def answer(session_id: str, message_id: str) -> None:
    """Publishes one event; it says when."""
    event = {"type": "event", "id": message_id, "status": "started", "at": time.time()}
    client.publish(channel(session_id), json.dumps(event))


@web.post("/chat")
def chat() -> Response:
    """Accepts a message."""
    body = request.get_json()
    message_id = str(uuid.uuid4())
    answer.delay(body["session_id"], message_id)
    return Response(json.dumps({"message_id": message_id}), 202, mimetype="application/json")


@web.get("/ready")
def ready() -> Response:
    """Says that the server answers."""
    return Response("ready", 200)


@sock.route("/feed/<session_id>")  # type: ignore[untyped-decorator]
def feed(socket: Server, session_id: str) -> None:
    """Forwards the session's channel."""
    pubsub = client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    pubsub.subscribe(channel(session_id))
    socket.send("subscribed")
    for message in pubsub.listen():
        socket.send(message["data"].decode())
