"""Following channels without waiting, on each supported server."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator

import pytest

from pipeline.bus import Bus, Frame
from pipeline.bus.channels import Channels
from pipeline.bus.keys import EPOCHS, session_channel
from pipeline.errors import BusUnavailable
from pipeline.settings import Settings
from tests.parts.redis_part import RedisPart
from tests.web.site import emit


@pytest.fixture
def channels(bus_settings: Settings, bus: Bus) -> Iterator[Channels]:
    """A connection that follows the epochs; the log's first one was told before."""
    bus.clock()
    opened = Channels(bus_settings)
    assert _read(opened, 1) == [EPOCHS]
    yield opened
    opened.close()


def _read(channels: Channels, count: int) -> list[Frame | str]:
    """Reads until so much has come."""
    found: list[Frame | str] = []
    deadline = time.monotonic() + 10
    while len(found) < count:
        assert time.monotonic() < deadline, found
        channels.write()
        select.select([channels], [channels] if channels.has_to_write else [], [], 1)
        found += channels.read()
    return found


def test_a_channel_is_confirmed_before_its_frames(channels: Channels, bus: Bus) -> None:
    """Without this a feed would begin before it follows, and miss what is announced in between."""
    channels.follow([session_channel("a"), session_channel("b")])
    assert _read(channels, 2) == [session_channel("a"), session_channel("b")]
    ids = emit(bus, "a", 2)
    emit(bus, "c", 1)
    ids += emit(bus, "b", 1)
    found = _read(channels, 3)
    assert [(frame.channel, frame.id) for frame in found if isinstance(frame, Frame)] == [
        (session_channel("a"), ids[0]),
        (session_channel("a"), ids[1]),
        (session_channel("b"), ids[2]),
    ]


def test_a_channel_that_is_left_is_silent(channels: Channels, bus: Bus) -> None:
    """Without this a relay would work for sessions that nobody reads any more."""
    channels.follow([session_channel("a"), session_channel("b")])
    _read(channels, 2)
    channels.leave([session_channel("a")])
    channels.follow([session_channel("c")])
    assert _read(channels, 1) == [session_channel("c")]
    emit(bus, "a", 1)
    [event_id] = emit(bus, "b", 1)
    assert [frame.id for frame in _read(channels, 1) if isinstance(frame, Frame)] == [event_id]


def test_a_channel_that_is_left_and_followed_again_is_confirmed_by_the_last_word(channels: Channels, bus: Bus) -> None:
    """Without this a feed that was opened right after another had ended would miss what comes in between."""
    channel = session_channel("a")
    channels.follow([channel])
    channels.leave([channel])
    channels.follow([channel])
    channels.follow([session_channel("b")])
    assert _read(channels, 2) == [channel, session_channel("b")]
    [event_id] = emit(bus, "a", 1)
    assert [frame.id for frame in _read(channels, 1) if isinstance(frame, Frame)] == [event_id]


def test_a_lost_connection_is_told(channels: Channels, redis_server: RedisPart) -> None:
    """Without this a relay would wait on a dead connection for ever."""
    redis_server.stop(kill=True)
    with pytest.raises(BusUnavailable):
        _read(channels, 1)
