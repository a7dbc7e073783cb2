"""What is said of a feed when another process goes on with it: it goes on as if nothing had been."""

from __future__ import annotations

import itertools

from websockets.frames import Opcode

from tests.parts.peer import frame
from web.feed.inbound import Inbound, Reply, Said
from web.feed.pace import Pace
from web.feed.unfinished import Unfinished

_LIMIT_BYTES = 4_096
_BURST = 1_000.0
_TALK = b"".join(
    (
        frame(Opcode.TEXT, "häßlich ".encode()[:2], final=False),
        frame(Opcode.PING, b"are you there"),
        frame(Opcode.CONT, "häßlich ".encode()[2:], final=False),
        frame(Opcode.CONT, b"said", final=True),
        frame(Opcode.TEXT, b"y" * 300),
        frame(Opcode.PONG),
        frame(Opcode.TEXT, b"ping"),
    )
)


def _pace() -> Pace:
    return Pace(10.0, _BURST, 0.0)


def _heard(inbound: Inbound, data: bytes) -> list[str | bytes]:
    found = [one for piece in data for one in inbound.receive(bytes([piece]), 0.0)]
    return [one.text if isinstance(one, Said) else one.data for one in found if isinstance(one, Said | Reply)]


def test_what_is_half_said_is_heard_wherever_it_is_cut() -> None:
    """Without this a client that speaks while its relay is replaced would be misunderstood, or closed."""
    uncut = Inbound(_LIMIT_BYTES, _pace())
    whole = _heard(uncut, _TALK)
    assert [one for one in whole if isinstance(one, str)] == ["häßlich said", "y" * 300, "ping"]
    for cut in (*range(60), *range(60, len(_TALK) + 1, 9)):
        first = Inbound(_LIMIT_BYTES, _pace())
        said = _heard(first, _TALK[:cut])
        state = first.state
        then = Inbound.of(_LIMIT_BYTES, Pace.of(10.0, _BURST, (state.words_left, state.counted_at)), state)
        assert said + _heard(then, _TALK[cut:]) == whole, cut
        assert then.state == uncut.state


def test_what_is_kept_of_what_was_said_is_bounded() -> None:
    """Without this a client that never ends its message would fill the relay's memory, a few bytes at a time."""
    # More than all the frames that its pace lets it send.
    inbound = Inbound(_LIMIT_BYTES, Pace(1e9, 1e9, 0.0))
    pieces = itertools.chain([frame(Opcode.TEXT, final=False)], itertools.repeat(frame(Opcode.CONT, final=False)))
    breach = next(one for piece in itertools.islice(pieces, 10_000) for one in inbound.receive(piece, 0.0))
    assert breach.code == 1009  # type: ignore[union-attr]
    assert not Unfinished(frame(Opcode.TEXT, b"whole") + frame(Opcode.PING) + frame(Opcode.CLOSE))
