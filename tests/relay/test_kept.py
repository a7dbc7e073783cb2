"""What is kept for clients who are on their way from one relay to another."""

from __future__ import annotations

from pipeline.bus import Frame
from web.relay.kept import Kept


def _frame(event_id: int) -> Frame:
    return Frame("c", b"%d chunk workflow normal none\n" % event_id + b"x" * 10)


def test_what_came_behind_an_event_is_given_with_pieces_of_answers() -> None:
    """Without this a client would get pieces of an answer twice, or miss some, when its relay is replaced."""
    kept = Kept(1_000)
    kept.add([_frame(0), _frame(5), _frame(0)])
    kept.add([_frame(7), _frame(0)])
    assert [frame.id for frame in kept.behind(4)] == [0, 5, 0, 7, 0]
    assert [frame.id for frame in kept.behind(5)] == [0, 7, 0]
    assert [frame.id for frame in kept.behind(6)] == [0, 7, 0]
    assert [frame.id for frame in kept.behind(7)] == [0]


def test_what_is_too_much_is_not_kept_by_halves() -> None:
    """Without this a burst of events while a relay is replaced would fill the memory, or leave a hole."""
    kept = Kept(25)
    kept.add([_frame(1), _frame(2)])
    assert kept.whole
    kept.add([_frame(3)])
    kept.add([_frame(4)])
    assert not kept.whole
    assert kept.behind(0) == []
