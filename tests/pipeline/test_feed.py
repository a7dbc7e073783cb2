"""Following channels: confirmed first, then everything, and only what was asked for."""

from __future__ import annotations

import threading
import time

import pytest

from pipeline.bus import Bus, Frame, Subscription, keys
from pipeline.errors import BusUnavailable
from pipeline.event import Category, Identity, Priority, State, Status
from tests.parts.redis_part import RedisPart
from tests.parts.waiting import wait_for
from tests.pipeline.driven import kept


def append(bus: Bus, session_id: str, key: str) -> int:
    """Appends an event to the session."""
    identity = Identity("custom.thing", Category.WORKFLOW, Priority.NORMAL, session_id)
    return bus.append(identity, State(Status.PROGRESS, key), key)


def confirmed(subscription: Subscription, channel: str) -> None:
    """Returns when `read` has told that the channel is followed."""
    wait_for(lambda: subscription.read(1) == channel, f"the confirmation of {channel}")


def heard(subscription: Subscription) -> Frame | str | None:
    """What `read` gives next, but for the news of the log's epoch."""
    while True:
        got = subscription.read(5)
        if not isinstance(got, Frame) or got.channel != keys.EPOCHS:
            return got


def test_nothing_falls_between_the_confirmation_and_the_stream(bus: Bus) -> None:
    """A client that connects while stages run would miss some of them (248 of 102,417 in the other order)."""
    stop = threading.Event()

    def emit() -> None:
        n = 0
        while not stop.is_set() and n < 20_000:
            append(bus, "s-1", str(n))
            n += 1

    emitter = threading.Thread(target=emit)
    emitter.start()
    try:
        wait_for(lambda: len(kept(bus)) > 5, "the first events")
        subscription = bus.subscribe()
        subscription.follow(keys.session_channel("s-1"))
        while (first := heard(subscription)) != keys.session_channel("s-1"):
            assert not isinstance(first, Frame), "an event came before the confirmation"
        replayed = [event.seq for event in kept(bus)]
        live: list[int] = []
        while len(live) < 30 or live[-1] <= (replayed[-1] or 0):
            frame = heard(subscription)
            assert isinstance(frame, Frame)
            live.append(int(frame.body.split(b'"seq":')[1].split(b",")[0]))
    finally:
        stop.set()
        emitter.join(20)
    subscription.close()
    assert live == list(range(live[0], live[-1] + 1))
    # What was replayed and what came live overlap or touch: together they have no gap.
    assert live[0] <= (replayed[-1] or 0) + 1


def test_one_connection_follows_many_channels(bus: Bus) -> None:
    """Each open page would cost a connection to Redis."""
    subscription = bus.subscribe()
    for session in ("s-1", "s-2"):
        subscription.follow(keys.session_channel(session))
        confirmed(subscription, keys.session_channel(session))
    append(bus, "s-1", "a")
    append(bus, "s-3", "b")
    append(bus, "s-2", "c")
    frames = [heard(subscription) for _ in range(2)]
    assert [f.channel for f in frames if isinstance(f, Frame)] == [keys.session_channel(s) for s in ("s-1", "s-2")]
    assert subscription.read(0) is None
    subscription.close()


def test_a_channel_that_was_left_is_silent(bus: Bus) -> None:
    """A relay would go on working for pages that were closed long ago."""
    subscription = bus.subscribe()
    for session in ("s-1", "s-2"):
        subscription.follow(keys.session_channel(session))
        confirmed(subscription, keys.session_channel(session))
    subscription.leave(keys.session_channel("s-1"))
    append(bus, "s-2", "before")
    first = heard(subscription)
    append(bus, "s-1", "a")
    append(bus, "s-2", "b")
    second = heard(subscription)
    assert isinstance(first, Frame)
    assert isinstance(second, Frame)
    assert (b'"before"' in first.body, b'"b"' in second.body) == (True, True)
    subscription.close()


def test_following_works_while_another_thread_reads(bus: Bus) -> None:
    """A page that connects while the relay waits for events would not be served before the next event."""
    subscription = bus.subscribe()
    seen: list[Frame | str] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            got = subscription.read(0.2)
            if got is not None and not (isinstance(got, Frame) and got.channel == keys.EPOCHS):
                seen.append(got)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for n in range(20):
            channel = keys.session_channel(f"s-{n}")
            subscription.follow(channel)
            wait_for(lambda channel=channel: channel in seen, "the confirmation")  # type: ignore[misc]
            append(bus, f"s-{n}", str(n))
        wait_for(lambda: sum(isinstance(got, Frame) for got in seen) == 20, "the frames")
    finally:
        stop.set()
        reader.join(10)
    subscription.close()


def test_reading_gives_up_in_time(bus: Bus) -> None:
    """A relay could not send its pings while a session is quiet."""
    subscription = bus.subscribe()
    confirmed(subscription, keys.EPOCHS)
    started = time.monotonic()
    assert subscription.read(0.3) is None
    assert 0.25 < time.monotonic() - started < 3
    subscription.close()


def test_a_lost_server_is_told_not_hidden(bus: Bus, redis_server: RedisPart) -> None:
    """A page would look connected and stay silent for ever."""
    subscription = bus.subscribe()
    redis_server.stop(kill=True)

    def read_until_told() -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            subscription.read(1)

    with pytest.raises(BusUnavailable):
        read_until_told()
    subscription.close()
