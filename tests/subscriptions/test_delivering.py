"""Deliveries: signed, at least once, tried again with pauses, bounded for each receiver, never going round."""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from pipeline.bus.inspect import Inspection
from pipeline.catalog import Audience
from pipeline.store import deliveries, retention, subscriptions
from pipeline.store.keys import ApiKey, revoke
from pipeline.store.keys import add as add_key
from pipeline.subscriptions.signing import secret_of
from pipeline.unified import UnifiedEvent
from pipeline.unified.event import EventCategory
from pipeline.unified.system import Wish
from tests.parts.mail_part import MailPart
from tests.parts.waiting import wait_for
from tests.parts.webhook_part import WebhookPart, make_certificate
from tests.subscriptions.conftest import Delivering
from web.doctor.handlers import deliveries as look
from web.doctor.lines import Level
from web.doctor.patient import Patient

Make = Callable[..., Delivering]


def emit(delivering: Delivering, event_type: str = "order.made", **fields: Any) -> int:
    """Emits an event and gives its number in the log."""
    audience = fields.pop("audience", None)
    category = EventCategory(fields.pop("category", "realtime"))
    wish = Wish(None if audience is None else Audience(audience))
    found = delivering.events.emit_event(UnifiedEvent(category, event_type, **fields), wish)
    assert found.log_id, found.error
    return found.log_id


def states(delivering: Delivering, one: Any) -> list[tuple[str, int]]:
    """Status and attempts of all deliveries."""
    return [(row.status, row.attempts) for row in delivering.log(one)]


def test_a_webhook_is_signed_as_the_how_to_checks_it(delivering: Delivering, receiver: WebhookPart) -> None:
    """Without this a receiver could not tell the server's word from anybody's."""
    one = delivering.subscribe(receiver.url)
    log_id = emit(delivering, data={"n": 1}, user_id="anna")
    emit(delivering, "other.made")
    delivering.run()
    [came] = receiver.received
    assert (came.path, came.headers["content-type"]) == ("/hook", "application/json")
    assert came.said["type"] == "order.made"
    assert (came.said["data"]["id"], came.said["data"]["event_data"]) == (log_id, {"n": 1})
    assert came.headers["webhook-id"] == f"evt_{log_id}"
    assert abs(int(came.headers["webhook-timestamp"]) - time.time()) < 60
    key = base64.b64decode(secret_of(delivering.settings, one.subscription_id, 1).removeprefix("whsec_"))
    signed = f"{came.headers['webhook-id']}.{came.headers['webhook-timestamp']}.".encode() + came.body
    wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert came.headers["webhook-signature"] == wanted
    [row] = delivering.log(one)
    assert (row.status, row.attempts, row.http_status, row.error) == ("delivered", 1, 200, None)
    assert row.latency_ms is not None


def test_no_secret_lies_in_the_database(delivering: Delivering, receiver: WebhookPart, tmp_path: Path) -> None:
    """Without this whoever reads a backup could sign for the server."""
    one = delivering.subscribe(receiver.url)
    secret = secret_of(delivering.settings, one.subscription_id, 1).removeprefix("whsec_")
    emit(delivering)
    delivering.run()
    delivering.store.close()
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("spanfeed.db*"))
    assert one.subscription_id.encode() in stored
    assert secret.encode() not in stored
    assert base64.b64decode(secret) not in stored


def test_a_failed_attempt_is_made_again_with_the_same_id(delivering: Delivering, receiver: WebhookPart) -> None:
    """Without this a receiver that restarts would miss events, or could not tell a repeat."""
    receiver.statuses = [500, 429]
    one = delivering.subscribe(receiver.url)
    emit(delivering)
    delivering.run()
    assert states(delivering, one) == [("delivered", 3)]
    assert len({came.headers["webhook-id"] for came in receiver.received}) == 1
    assert len(receiver.received) == 3


def test_pauses_grow_with_jitter_up_to_a_limit(make: Make) -> None:
    """Without this a receiver that comes back would be overrun by all that it missed, at the same moment."""
    deliverer = make(SPANFEED_DELIVERY_BACKOFF_SECONDS="5", SPANFEED_DELIVERY_BACKOFF_LIMIT_SECONDS="60").deliverer
    for attempts, longest in ((1, 5), (2, 10), (4, 40), (5, 60), (1_000, 60)):
        pauses = [deliverer.pause_seconds(attempts) for _ in range(20)]
        assert all(longest / 2 <= pause <= longest for pause in pauses)
        assert len(set(pauses)) > 1


def test_a_pause_is_kept(make: Make, receiver: WebhookPart) -> None:
    """Without this a failing receiver would be asked without end."""
    delivering = make(SPANFEED_DELIVERY_BACKOFF_SECONDS="3600")
    receiver.status = 500
    one = delivering.subscribe(receiver.url)
    emit(delivering)
    delivering.run()
    assert states(delivering, one) == [("pending", 1)]
    assert delivering.feed() == []
    [row] = delivering.log(one)
    assert (row.http_status, row.error) == (500, "it answered 500")
    assert 1_790 < (row.due_at - row.created_at).total_seconds() < 3_700


def test_a_dead_letter_can_be_sent_again(make: Make, receiver: WebhookPart) -> None:
    """Without this an event would be tried for ever, or be lost for good."""
    delivering = make(SPANFEED_DELIVERY_TRIES_LIMIT="3")
    receiver.status = 503
    one = delivering.subscribe(receiver.url)
    emit(delivering, data={"n": 7})
    delivering.run()
    assert states(delivering, one) == [("dead", 3)]
    receiver.status = 204
    [row] = delivering.log(one)
    assert deliveries.again(delivering.store, "sub_other", row.id) == 0
    assert deliveries.again(delivering.store, one.subscription_id, row.id) == 1
    delivering.run()
    assert states(delivering, one) == [("delivered", 1)]
    assert receiver.received[-1].said["data"]["event_data"] == {"n": 7}


def test_a_receiver_that_is_gone_is_not_tried_again(delivering: Delivering, receiver: WebhookPart) -> None:
    """Without this a receiver that says "gone" would be asked for hours."""
    receiver.status = 410
    one = delivering.subscribe(receiver.url)
    emit(delivering)
    delivering.run()
    assert states(delivering, one) == [("dead", 1)]


def test_a_redirect_is_not_followed(delivering: Delivering, receiver: WebhookPart) -> None:
    """Without this a public receiver could send the server to a private address."""
    other = WebhookPart()
    receiver.statuses, receiver.location = [307], other.url
    one = delivering.subscribe(receiver.url)
    emit(delivering)
    delivering.run()
    assert other.received == []
    assert len(receiver.received) == 2
    assert states(delivering, one) == [("delivered", 2)]
    other.close()


def test_the_receiver_is_judged_at_each_delivery(make: Make, receiver: WebhookPart) -> None:
    """Without this a URL that was stored before, or a name that has changed, would lead inside."""
    delivering = make(SPANFEED_WEBHOOK_PRIVATE_NETWORKS="")
    one = delivering.subscribe(receiver.url)
    emit(delivering)
    delivering.run()
    assert receiver.connections == 0
    [row] = delivering.log(one)
    assert (row.status, row.error) == ("dead", "the receiver's address is private or reserved")


def test_a_slow_receiver_is_left_in_time(make: Make, receiver: WebhookPart) -> None:
    """Without this a receiver that never answers would keep a thread for ever."""
    delivering = make(SPANFEED_DELIVERY_TIMEOUT_SECONDS="0.3", SPANFEED_DELIVERY_BACKOFF_SECONDS="60")
    receiver.delay_seconds = 60
    one = delivering.subscribe(receiver.url)
    emit(delivering)
    delivering.run()
    [row] = delivering.log(one)
    assert (row.status, row.error, row.http_status) == ("pending", "no answer within 0.3 s", None)


def test_an_endless_answer_is_not_read(make: Make) -> None:
    """Without this a receiver could fill the worker's memory, or drip for hours."""
    delivering = make(SPANFEED_DELIVERY_TIMEOUT_SECONDS="20", SPANFEED_DELIVERY_BACKOFF_SECONDS="60")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            for endless in (b"HTTP/1.1 100 Continue\r\n", b"x" * 100_000):
                connection, _ = server.accept()
                with connection:
                    try:
                        while True:
                            connection.sendall(endless)
                            endless = b"a: b\r\n" if endless.startswith((b"H", b"a")) else endless
                    except OSError:
                        continue

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        one = delivering.subscribe(f"http://127.0.0.1:{server.getsockname()[1]}/")
        for _ in range(2):
            emit(delivering)
        delivering.run()
        thread.join(20)
    assert [row.error for row in delivering.log(one)] == ["the connection failed"] * 2


def test_an_answer_that_drips_is_left_in_time(make: Make) -> None:
    """Without this a receiver that sends a byte now and then would keep a thread for hours."""
    delivering = make(SPANFEED_DELIVERY_TIMEOUT_SECONDS="0.6", SPANFEED_DELIVERY_BACKOFF_SECONDS="60")
    left = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 100 Continue\r\n")
                while not left.wait(0.1):
                    connection.sendall(b"a")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        one = delivering.subscribe(f"http://127.0.0.1:{server.getsockname()[1]}/")
        emit(delivering)
        serving = threading.Thread(target=delivering.run, daemon=True)
        serving.start()
        serving.join(20)
        left.set()
        thread.join(20)
        serving.join(20)
    assert [row.error for row in delivering.log(one)] == ["no answer within 0.6 s"]


def test_a_certificate_is_checked_for_the_name(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this anybody between the server and a receiver could read along."""
    delivering = make(SPANFEED_DELIVERY_BACKOFF_SECONDS="60")
    folder = make_certificate(tmp_path / "certificate", "localhost")
    receiver = WebhookPart(folder)
    unknown = delivering.subscribe(receiver.url.replace("127.0.0.1", "localhost"))
    emit(delivering)
    delivering.run()
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "fullchain.pem"))
    wrong = delivering.subscribe(f"{receiver.url}?wrong")
    right = delivering.subscribe(f"https://localhost:{receiver.port}/x")
    emit(delivering)
    delivering.run()
    words = "the receiver's certificate is not valid for its name"
    assert [delivering.log(one)[-1].error for one in (wrong, right)] == [words, None]
    assert delivering.log(unknown)[0].error == words
    assert {came.path for came in receiver.received} == {"/x", "/hook"}
    receiver.close()


def test_the_circuit_opens_is_told_and_closes(make: Make, receiver: WebhookPart) -> None:
    """Without this a receiver that is down would be asked for every event, and nobody would know."""
    delivering = make(SPANFEED_DELIVERY_CIRCUIT_FAILURES_LIMIT="3", SPANFEED_DELIVERY_CIRCUIT_OPEN_SECONDS="3600")
    receiver.status = 500
    one = delivering.subscribe(receiver.url, event_types=[])
    emit(delivering)
    delivering.run()
    assert len(receiver.received) == 3
    assert delivering.again(one).failures == 3
    [opened] = delivering.told("subscription.circuit_opened")
    assert (opened["priority"], opened["category"]) == ("high", "monitoring")
    assert opened["event_data"]["subscription_id"] == one.subscription_id
    assert receiver.url not in str(opened)
    emit(delivering)
    assert delivering.feed() == [], "it must rest"
    assert delivering.deliverer.serve(one.subscription_id)
    assert len(receiver.received) == 3
    # An hour later it is tried once, and goes on to rest.
    rested = datetime.datetime.now(datetime.UTC)
    subscriptions.change(delivering.store, one.subscription_id, open_until=rested)
    delivering.run()
    assert len(receiver.received) == 4
    assert delivering.again(one).is_open_at(datetime.datetime.now(datetime.UTC))
    receiver.status = 200
    subscriptions.change(delivering.store, one.subscription_id, open_until=rested)
    delivering.run()
    assert {row.status for row in delivering.log(one)} == {"delivered"}
    assert sum(row.attempts for row in delivering.log(one)) == len(receiver.received) == 6
    assert len(delivering.told("subscription.circuit_closed")) == 1
    assert len(delivering.told("subscription.circuit_opened")) == 1
    delivering.run()
    kinds = {came.said["type"] for came in receiver.received}
    assert kinds == {"order.made"}, "events about deliveries must not be delivered"


def test_one_receiver_holds_up_no_other(make: Make, receiver: WebhookPart) -> None:
    """Without this one subscriber's dead server would keep events from all others."""
    delivering = make(SPANFEED_DELIVERY_TIMEOUT_SECONDS="100")
    slow = WebhookPart()
    slow.delay_seconds = 300
    held, quick = delivering.subscribe(slow.url), delivering.subscribe(receiver.url)
    for _ in range(3):
        emit(delivering)
    due = delivering.feed()
    assert due == sorted([held.subscription_id, quick.subscription_id])
    threads = [threading.Thread(target=delivering.deliverer.serve, args=[one], daemon=True) for one in due]
    for thread in threads:
        thread.start()
    wait_for(lambda: states(delivering, quick) == [("delivered", 1)] * 3, "the quick receiver's events")
    wait_for(lambda: slow.received, "the slow receiver's first event")
    assert states(delivering, held) == [("pending", 0)] * 3
    assert not delivering.deliverer.serve(held.subscription_id), "two would serve the same receiver"
    slow.close()
    for thread in threads:
        thread.join(30)


def test_what_waits_for_one_receiver_is_bounded(make: Make, receiver: WebhookPart) -> None:
    """Without this a receiver that is down for a day would fill the database."""
    delivering = make(SPANFEED_DELIVERY_PENDING_LIMIT_EVENTS="4")
    one = delivering.subscribe(receiver.url)
    for _ in range(7):
        emit(delivering)
    delivering.feed()
    assert states(delivering, one) == [("pending", 0)] * 4
    assert delivering.again(one).dropped == 3


def test_what_was_read_and_not_kept_is_kept_later(delivering: Delivering, receiver: WebhookPart) -> None:
    """Without this a restart of the database, or of the process, would lose events for subscribers."""
    one = delivering.subscribe(receiver.url)
    emit(delivering)
    read = delivering.bus.handler_log.read_new("subscriptions", "a worker that was killed", 10, 10)
    assert len(read) == 1
    emit(delivering)
    delivering.feeder._held = read
    delivering.feeder.turn()
    delivering.feeder._held = read
    delivering.run()
    assert states(delivering, one) == [("delivered", 1)] * 2
    assert len({came.headers["webhook-id"] for came in receiver.received}) == 2


def test_who_subscribed_before_anybody_delivered_misses_nothing(delivering: Delivering, receiver: WebhookPart) -> None:
    """Without this what happened between the first subscription and the first start would be lost."""
    delivering.bus.handler_log.forget("subscriptions")
    emit(delivering, data={"n": 1})
    delivering.subscribe(receiver.url)
    emit(delivering, data={"n": 2})
    delivering.feeder.turn()
    delivering.run()
    assert [came.said["data"]["event_data"] for came in receiver.received] == [{"n": 2}]


def test_the_doctor_says_that_nobody_delivers(delivering: Delivering, receiver: WebhookPart) -> None:
    """Without this events would go nowhere, and nothing would say why."""
    patient = Patient(delivering.settings, Inspection(delivering.settings.redis_url), delivering.store)
    delivering.bus.handler_log.forget("subscriptions")
    emit(delivering)
    assert look(patient) == []
    delivering.subscribe(receiver.url)
    [line] = look(patient)
    assert (line.name, line.level, line.mend) == ("deliveries", Level.WARNING, "run: spanfeed deliver")
    delivering.feeder.turn()
    assert look(patient) == []


def test_only_what_came_after_the_subscription_is_delivered(delivering: Delivering, receiver: WebhookPart) -> None:
    """Without this a new subscriber would be sent what happened before, by how far the reading was behind."""
    emit(delivering, data={"n": 1})
    delivering.subscribe(receiver.url)
    emit(delivering, data={"n": 2})
    delivering.run()
    assert [came.said["data"]["event_data"] for came in receiver.received] == [{"n": 2}]


def test_a_large_event_goes_without_its_data(make: Make, receiver: WebhookPart) -> None:
    """Without this one event could be megabytes for each of a thousand receivers."""
    delivering = make(SPANFEED_DELIVERY_PAYLOAD_LIMIT_BYTES="2000")
    delivering.subscribe(receiver.url)
    emit(delivering, data={"text": "x" * 5_000})
    delivering.run()
    [came] = receiver.received
    assert (came.said["cut"], came.said["data"]["event_data"]) == (True, None)
    assert len(came.body) < 2_000


def test_what_is_no_event_is_put_aside(delivering: Delivering, receiver: WebhookPart) -> None:
    """Without this one broken entry would stop all deliveries."""
    one = delivering.subscribe(receiver.url)
    good = {"event_type": "order.made", "category": "realtime", "priority": "low", "metadata": {}, "timestamp": "t"}
    wrong = [{**good, "id": "x"}, {**good, "id": 2**80}, {**good, "id": 2**60, "event_type": "order.\x00"}, [], 7]
    with redis.Redis.from_url(delivering.settings.redis_url) as client:
        for body in (b"{not json", *map(json.dumps, wrong)):
            client.xadd("sf:{0}:log", {"e": body})
    emit(delivering)
    delivering.run()
    assert states(delivering, one) == [("delivered", 1)]
    assert len(delivering.bus.handler_log.dead("subscriptions", 10)) == 6


def _key(delivering: Delivering, scopes: str) -> str:
    row = ApiKey("abcdefgh", "abcdefgh", "0" * 64, "k", scopes, None, "test", datetime.datetime.now(datetime.UTC), None)
    add_key(delivering.store, row, 100)
    return row.key_id


def test_a_revoked_key_is_told_nothing_more(delivering: Delivering, receiver: WebhookPart) -> None:
    """Without this whoever was shut out would go on being sent everything."""
    key_id = _key(delivering, "events:read")
    one = delivering.subscribe(receiver.url, owner=f"key:{key_id}", key_family=key_id, sees="application")
    emit(delivering, user_id="anna")
    delivering.run()
    emit(delivering, user_id="anna")
    delivering.feed()
    assert revoke(delivering.store, key_id)
    emit(delivering, user_id="anna")
    delivering.feed()
    delivering.deliverer.serve(one.subscription_id)
    assert len(receiver.received) == 1
    assert states(delivering, one) == [("delivered", 1), ("dead", 0)]


def test_a_key_that_lost_its_rights_sees_no_operators_events(delivering: Delivering, receiver: WebhookPart) -> None:
    """Without this a former administrator's key would go on to see everything."""
    key_id = _key(delivering, "events:read")
    delivering.subscribe(receiver.url, owner=f"key:{key_id}", key_family=key_id, sees="operator")
    delivering.subscribe(receiver.url, owner="admin:gone")
    emit(delivering)
    assert delivering.feed() == []


def test_what_is_turned_off_waits(delivering: Delivering, receiver: WebhookPart) -> None:
    """Without this a receiver could not be spared while it is mended."""
    one = delivering.subscribe(receiver.url)
    emit(delivering)
    due = delivering.feed()
    subscriptions.change(delivering.store, one.subscription_id, enabled=False)
    assert not delivering.deliverer.serve(due[0])
    assert receiver.received == []


def test_the_delivery_log_is_cleaned_by_retention(make: Make, receiver: WebhookPart) -> None:
    """Without this the delivery log would grow for ever."""
    delivering = make(SPANFEED_RETENTION_DELIVERIES_HOURS="1")
    one = delivering.subscribe(receiver.url)
    emit(delivering)
    delivering.run()
    retention.apply_retention(delivering.store, delivering.settings)
    assert len(delivering.log(one)) == 1
    with delivering.store.write() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET created_at = '2020-01-01 00:00:00.000000'")
    retention.apply_retention(delivering.store, delivering.settings)
    assert delivering.log(one) == []


def _mailing(make: Make, mails: MailPart, **more: str) -> Delivering:
    return make(
        SPANFEED_SMTP_HOST="127.0.0.1",
        SPANFEED_SMTP_PORT=str(mails.port),
        SPANFEED_SMTP_SECURITY="none",
        SPANFEED_SMTP_FROM="spanfeed@example.org",
        **more,
    )


def test_a_burst_gives_one_mail(make: Make, mails: MailPart) -> None:
    """Without this a busy minute would be a hundred mails."""
    delivering = _mailing(make, mails, SPANFEED_MAIL_DIGEST_SECONDS="3600")
    one = delivering.subscribe("ops@example.org", name="Orders\r\nBcc: evil@example.org")
    for number in range(5):
        emit(delivering, f"order.made{number}")
    assert delivering.feed() == []
    # An hour later.
    with delivering.store.write() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET due_at = '2026-01-01 00:00:00.000000'")
    delivering.run()
    [mail] = mails.mails
    assert mails.recipients == ["ops@example.org"]
    assert mail["Subject"] == "Orders Bcc: evil@example.org: 5 events"
    assert mail["Bcc"] is None
    text = mail.get_content()
    assert all(f"order.made{number}" in text for number in range(5))
    assert states(delivering, one) == [("delivered", 1)] * 5


def test_a_mail_that_is_refused_is_tried_again(make: Make, mails: MailPart) -> None:
    """Without this a mail server that is busy would cost the events."""
    delivering = _mailing(make, mails, SPANFEED_MAIL_DIGEST_SECONDS="0", SPANFEED_DELIVERY_CIRCUIT_FAILURES_LIMIT="1")
    mails.refuses = True
    one = delivering.subscribe("ops@example.org")
    emit(delivering)
    delivering.run()
    [row] = delivering.log(one)
    assert (row.status, row.error) == ("pending", "the mail server refuses the recipient")
    mails.refuses = False
    subscriptions.change(delivering.store, one.subscription_id, open_until=None)
    delivering.run()
    assert states(delivering, one) == [("delivered", 2)]
    assert len(mails.mails) == 1
