"""Waiting for many things that all take equally long."""

from __future__ import annotations

from web.relay.deadlines import Deadlines


def test_who_is_due_is_taken_once_and_in_order() -> None:
    """Without this a silent client would be told nothing, or told without end."""
    deadlines: Deadlines[str] = Deadlines(10.0)
    for number, name in enumerate("abc"):
        deadlines.add(name, float(number))
    assert deadlines.next(99.0) == 10.0
    assert deadlines.take_due(9.9) == []
    assert deadlines.take_due(11.0) == ["a", "b"]
    assert deadlines.take_due(11.5) == []
    assert deadlines.next(99.0) == 12.0


def test_who_is_added_again_waits_anew() -> None:
    """Without this a client that speaks would be told all the same that its feed lives."""
    deadlines: Deadlines[str] = Deadlines(10.0)
    deadlines.add("a", 0.0)
    deadlines.add("b", 1.0)
    deadlines.add("a", 2.0)
    assert deadlines.take_due(11.0) == ["b"]
    assert deadlines.next(99.0) == 12.0
    deadlines.discard("a")
    deadlines.discard("never there")
    assert deadlines.next(99.0) == 99.0


def test_who_has_waited_elsewhere_is_due_in_time() -> None:
    """Without this a client that another relay takes over would be told later than others that its feed lives."""
    deadlines: Deadlines[str] = Deadlines(10.0)
    deadlines.add("here", 5.0)
    deadlines.add("moved", 1.0)
    deadlines.add("later", 6.0)
    assert deadlines.next(99.0) == 11.0
    assert deadlines.take_due(11.0) == ["moved"]
    assert deadlines.take_due(20.0) == ["here", "later"]
