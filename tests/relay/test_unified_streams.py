"""A user's stream and the operators', by a relay and by threads: who sees what, in which order, what is replayed."""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections.abc import Callable

import httpx
import pytest

from pipeline.catalog import Audience
from pipeline.event import Category, Identity, Priority, State, Status
from tests.parts.stack import KEY, Stack
from tests.parts.stream_client import StreamClient
from tests.parts.waiting import wait_for
from tests.relay.conftest import WAYS
from tests.relay.unified_part import OPERATORS, USER, Emitter, opened, types, until
from tests.web.site import emit
from tests.web.wire import Wire
from web.keyring import Locksmith

END = "custom.end"


@pytest.fixture(params=WAYS)
def stack(request: pytest.FixtureRequest, shared: Callable[[str], Stack]) -> Stack:
    """A server that serves feeds in one way or the other."""
    return shared(str(request.param))


def test_a_stream_begins_and_speaks_as_the_seeds_clients_read_it(stack: Stack, send: Emitter, user: str) -> None:
    """Without this a page of the second seed would not understand a single message."""
    with StreamClient(stack.url, USER, KEY, user_id=user) as client:
        assert client.reply.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert client.reply.headers["Cache-Control"] == "no-store"
        first = client.next()
        assert first.name == first.json["type"] == "connection.established"
        assert set(first.json) == {"id", "type", "data", "timestamp", "metadata"}
        assert {"connection_id", "user_id", "connected_at", "established_at"} <= set(first.json["data"])
        assert (first.json["data"]["user_id"], first.json["metadata"]) == (user, {})
        assert 500 <= (client.retry_ms or 0) <= 3_500
        data = {"document_id": "d-1", "note": "line\nline\u2028é"}
        number = send("document.uploaded", user, data=data, correlation_id="c-1", id=f"{user}-1")
        told = client.next()
        assert (told.name, told.last_id, told.json["id"]) == ("document.uploaded", str(number), str(number))
        assert set(told.json) == {"id", "type", "data", "timestamp", "metadata"}
        assert told.json["data"] == data
        metadata = told.json["metadata"]
        assert {name: metadata[name] for name in ("category", "priority", "source_system", "correlation_id")} == {
            "category": "realtime",
            "priority": "normal",
            "source_system": "sse",
            "correlation_id": "c-1",
        }
        assert (metadata["session_id"], metadata["unified_event_id"]) == (None, f"{user}-1")


def test_operators_are_told_whose_an_event_is(stack: Stack, send: Emitter, user: str) -> None:
    """Without this an operator would see what happened and not to whom."""
    with opened(stack, user, path=OPERATORS) as client:
        number = send("document.uploaded", user)
        told = client.until(lambda message: message.last_id == str(number))
        assert told.json["user_id"] == user
        assert client.messages[0].json["data"]["user_id"] == "key:main"


def test_an_unknown_type_keeps_its_name_and_its_data(stack: Stack, send: Emitter, user: str) -> None:
    """Without this a program's own event would come as a system alert that says it failed, as the original's did."""
    with opened(stack, user) as client:
        send("shop.order-42.paid", user, data={"sum": 7})
        told = client.next()
    assert (told.name, told.json["data"]) == ("shop.order-42.paid", {"sum": 7})


@pytest.mark.parametrize("stored", [False, True], ids=["in the log", "stored"])
def test_each_sees_what_is_theirs_live_and_replayed(stack: Stack, send: Emitter, user: str, stored: bool) -> None:
    """Without this a user would read what only operators, auditors or another user may, or miss what is their own."""
    other, start = f"{user}-2", send("custom.start", user)
    expected = {user: ["custom.mine", "custom.person", "custom.all", END], other: ["custom.theirs", "custom.all", END]}
    with opened(stack, user) as mine, opened(stack, other) as theirs, opened(stack, user, path=OPERATORS) as operators:
        send("custom.mine", user)
        send("custom.theirs", other)
        send("custom.person", user, audience=Audience.PERSON)
        send("custom.secret", user, audience=Audience.OPERATOR)
        send("custom.kept", user, audience=Audience.RECORD)
        # All routing rules fit: to the audit trail, to a notification, to realtime.
        send("auth.login_failure", None, Category.SECURITY, priority="critical")
        send("suspicious.brute_force", user, Category.SECURITY, Audience.OPERATOR)
        send("model.delete", user, Category.AUDIT)
        # A word that a user has put into their own metadata opens nothing.
        send("custom.forged", None, audience=Audience.OPERATOR, metadata={"x": {"audience": "everyone"}})
        send("custom.all", audience=Audience.EVERYONE)
        end = send(END, audience=Audience.EVERYONE)
        for client, name in ((mine, user), (theirs, other)):
            until(client, end)
            assert types(client) == expected[name]
        until(operators, end)
        live = types(operators)
    assert live.count("auth.login_failure") == live.count("suspicious.brute_force") == 1
    assert "custom.kept" not in live
    assert [t for t in live if t.startswith("audit.")] == []
    if stored:
        send.record(stack)
    for name in (user, other):
        with opened(stack, name, start) as client:
            until(client, end)
            assert types(client) == expected[name]
    with opened(stack, user, start, OPERATORS) as client:
        until(client, end)
        assert types(client) == live


def test_three_thousand_at_once_arrive_once_and_in_order(stack: Stack, send: Emitter, user: str) -> None:
    """Without this a burst would lose most of its events, as 78 to 98 of 100 were lost in the original."""
    with opened(stack, user) as client:
        # Every tenth is for everyone: two channels, one order.
        ids = [
            send("job.progress", None if n % 10 == 0 else user, audience=Audience.EVERYONE if n % 10 == 0 else None)
            for n in range(3_000)
        ]
        assert until(client, ids[-1]) == ids


def test_what_comes_at_once_on_two_channels_is_told_in_one_order(stack: Stack, send: Emitter, user: str) -> None:
    """Without this a server that was busy for a moment would pass over events that lie between those of a channel."""
    server = stack.processes["relay" if "relay" in stack.processes else "web"].pid
    with opened(stack, user) as client:
        os.killpg(server, signal.SIGSTOP)
        try:
            ids = [send("job.progress", None if n % 3 == 0 else user) for n in range(60)]
        finally:
            os.killpg(server, signal.SIGCONT)
        assert until(client, ids[-1]) == ids


def test_a_stream_that_was_cut_goes_on_where_it_was(stack: Stack, send: Emitter, user: str) -> None:
    """Without this whoever is cut off would lose what came meanwhile, or read it all again."""
    with opened(stack, user) as client:
        first = [send("job.progress", user) for _ in range(3)]
        until(client, first[-1])
        seen = int(client.messages[-1].last_id)
    missed = [send("job.progress", user), send("job.progress", audience=Audience.EVERYONE)]
    send.record(stack)
    missed += [send("job.progress", user), send("job.progress", audience=Audience.EVERYONE)]
    with opened(stack, user, seen) as client:
        missed.append(send("job.progress", user))
        assert until(client, missed[-1]) == missed


def test_whoever_is_cut_off_before_the_first_event_misses_nothing(stack: Stack, send: Emitter, user: str) -> None:
    """Without this a browser that has read nothing yet would come back without a cursor, behind what it has missed."""
    with opened(stack, user) as client:
        cursor = client.messages[0].last_id
    missed = send("job.started", user)
    with opened(stack, user, int(cursor)) as client:
        assert client.messages[0].last_id == cursor
        assert until(client, missed) == [missed]


def test_sessions_that_begin_later_are_in_the_users_stream(stack: Stack, send: Emitter, user: str) -> None:
    """Without this a user would have to open the stream anew for each conversation, or would miss what stages do."""
    start, sessions = send("custom.start", user), [str(uuid.uuid4()), str(uuid.uuid4())]
    with opened(stack, user) as client:
        for session_id in sessions:
            send("conversation.started", user, session_id=session_id)
            stage = Identity("agent_thinking", Category.WORKFLOW, Priority.NORMAL, session_id, "m-1", user)
            send.bus.append(stage, State(Status.STARTED, "Thinking", {"n": 1}), uuid.uuid4().hex)
            # Somebody else's session, and a stage that says nothing of its user.
            emit(send.bus, str(uuid.uuid4()))
        end = send(END, user)
        until(client, end)
    assert types(client) == ["conversation.started", "agent_thinking"] * 2 + [END]
    told = [message.json for message in client.messages if message.name == "agent_thinking"]
    assert [one["metadata"]["session_id"] for one in told] == sessions
    assert (told[0]["metadata"]["event_status"], told[0]["metadata"]["user_message"]) == ("started", "Thinking")
    send.record(stack)
    with opened(stack, user, start) as again:
        until(again, end)
    assert [message.data for message in again.messages[1:]] == [message.data for message in client.messages[1:]]


def test_filters_hold_live_and_replayed(stack: Stack, send: Emitter, user: str) -> None:
    """Without this a page would be sent everything, whatever it can show."""
    start = send("custom.start", user)
    wanted: list[int] = []

    def some() -> None:
        send("job.started", user)
        wanted.append(send("document.uploaded", user, priority="high"))
        send("document.uploaded", user)
        wanted.append(send("document.processing_failed", audience=Audience.EVERYONE, priority="high"))

    some()
    with opened(stack, user, start, event_type="document.*", priority="high") as client:
        until(client, wanted[-1])
        some()
        assert until(client, wanted[-1]) == wanted


def test_a_cursor_of_another_log_is_said_to_be(stack: Stack, send: Emitter, user: str) -> None:
    """Without this a client would wait for ids that never come, after Redis has lost its data."""
    number = send("custom.one", user)
    with opened(stack, user, number, epoch="1") as client:
        reset = client.next()
        assert (reset.name, reset.json["data"]["reason"]) == ("connection.reset", "epoch")
        assert until(client, number)[-1] == number


def test_a_quiet_stream_shows_signs_of_life(stack: Stack, user: str) -> None:
    """Without this a proxy would cut a stream on which nothing happens."""
    with Wire(stack.url) as wire:
        assert wire.request("GET", f"{USER}?user_id={user}", {"X-API-Key": KEY}).status == 200
        heard = b""
        while b": keepalive\n\n" not in heard:
            heard += wire.socket.recv(4_096)


def test_who_may_not_listen_is_told_by_a_status(stack: Stack, user: str) -> None:
    """Without this a stranger or another user could listen, or would take a refusal for a broken stream."""
    locksmith = Locksmith(stack.settings(), stack.store)
    own = {"X-API-Key": locksmith.create("u", ["events:read", "events:write"], "test", user)[0]}
    admin = {"X-API-Key": locksmith.create("a", ["admin"], "test", user)[0]}
    for path in (USER, OPERATORS):
        assert httpx.get(stack.url + path).status_code == 401
        assert httpx.get(stack.url + path, headers={"Authorization": "Bearer sf_wrong"}).status_code == 401
        assert httpx.get(f"{stack.url}{path}?after=x", headers={"X-API-Key": KEY}).status_code == 400
        assert httpx.get(f"{stack.url}{path}?category=x", headers={"X-API-Key": KEY}).status_code == 422
    assert httpx.get(stack.url + OPERATORS, headers=own).status_code == 403
    assert httpx.get(stack.url + OPERATORS, headers=admin).status_code == 403
    assert httpx.get(f"{stack.url}{USER}?user_id=somebody", headers=own).status_code == 403
    assert httpx.get(f"{stack.url}{USER}?user_id=admin:ann", headers={"X-API-Key": KEY}).status_code == 422
    with stack.client() as client:
        token = client.post("/chat/one-session/token").json()["token"]
    # A session's token was made by an application: its owner is no user, and has the events of many.
    assert httpx.get(f"{stack.url}{USER}?token={token}").status_code == 403


def test_a_token_opens_its_users_stream(stack: Stack, send: Emitter, user: str) -> None:
    """Without this a browser, whose EventSource sends no headers, could not listen, or would need a key in its page."""
    with stack.client() as client:
        assert client.post("/api/v1/events/token", json={}).status_code == 422
        reply = client.post("/api/v1/events/token", json={"user_id": user})
    assert (reply.status_code, reply.json()["user_id"]) == (201, user)
    token = reply.json()["token"]
    with StreamClient(stack.url, USER, None, token=token) as stream:
        assert stream.next().json["data"]["user_id"] == user
        send("custom.other", f"{user}-2")
        number = send("custom.mine", user)
        assert until(stream, number) == [number]
    assert httpx.get(f"{stack.url}{OPERATORS}?token={token}").status_code == 403
    assert httpx.get(f"{stack.url}/chat/some-session/messages/m?token={token}").status_code == 404
    assert token not in stack.log("web")


def test_a_user_has_so_many_streams(make_stack: Callable[..., Stack], user: str) -> None:
    """Without this one user with many tabs could take the places of all others, or pages would be told nothing."""
    stack = make_stack(SSE_MAX_CONNECTIONS_PER_USER="1", SPANFEED_RELAY_SOCKETS_LIMIT="2")
    stack.start(worker=False, recorder=False, relay=True)
    locksmith = Locksmith(stack.settings(), stack.store)
    keys = [locksmith.create("u", ["events:read"], "test", f"{user}-{n}")[0] for n in range(3)]

    def listening(key: str) -> StreamClient:
        return StreamClient(stack.url, USER, key)

    def lets_in_the_third() -> bool:
        client = listening(keys[2])
        client.close()
        return client.reply.status == 200

    with listening(keys[0]) as first, listening(keys[1]):
        full = listening(keys[0])
        assert (full.reply.status, full.reply.headers["Retry-After"]) == (503, "5")
        assert json.loads(full.refusal)["type"] == "urn:spanfeed:problem:too_many_feeds"
        none_left = listening(keys[2])
        assert json.loads(none_left.refusal)["type"] == "urn:spanfeed:problem:no_place"
        first.close()
        wait_for(lets_in_the_third, "the place that was given back")
