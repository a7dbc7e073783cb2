"""The answer while it is written: announced piece by piece, kept for those who come late."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import redis

from pipeline.bus import Bus, Frame, keys
from tests.parts.waiting import wait_for
from tests.pipeline.driven import DrivenRun

PIECES = ("Leave ", "accrués 📄 ", "at four\nhours.")


@pytest.fixture
def run(bus: Bus) -> DrivenRun:
    """A run whose answer is being written."""
    driven = DrivenRun(bus, user_id="u-1")
    driven.submit("generate")
    driven.begin("generate", "G")
    return driven


def say(run: DrivenRun, *pieces: str) -> None:
    """Announces the pieces, one after the other."""
    offset = 0
    for piece in pieces:
        assert run.bus.chunk(*run.ids, run.token, run.bus.run_state(run.message_id).tries, offset, piece)
        offset += len(piece)


def test_who_comes_late_is_given_the_text_so_far(run: DrivenRun) -> None:
    """A page reloaded in mid-answer would lose its beginning."""
    assert run.bus.run_state(run.message_id).answer == ""
    say(run, *PIECES[:2])
    assert run.bus.run_state(run.message_id).answer == "".join(PIECES[:2])
    say_more = run.bus.chunk(*run.ids, run.token, 1, len("".join(PIECES[:2])), PIECES[2])
    state = run.bus.run_state(run.message_id)
    assert (say_more, state.answer, state.tries, state.stage) == (True, "".join(PIECES), 1, "generate")


@pytest.mark.parametrize("channel", [keys.session_channel("s-1"), f"{keys.CHANNELS}user:u-1"])
def test_pieces_are_announced_in_order_with_their_offset(run: DrivenRun, channel: str) -> None:
    """The words of an answer would arrive in disorder, or twice, unnoticed."""
    subscription = run.bus.subscribe()
    subscription.follow(channel)
    wait_for(lambda: subscription.read(1) == channel, "the subscription")
    say(run, *PIECES)
    found: list[dict[str, Any]] = []
    while len(found) < len(PIECES):
        frame = subscription.read(5)
        assert isinstance(frame, Frame)
        assert (frame.id, frame.event_type) == (0, "chunk")
        found.append(orjson.loads(frame.body))
    assert [frame["text"] for frame in found] == list(PIECES)
    assert [frame["offset"] for frame in found] == [0, 6, 6 + len(PIECES[1])]
    assert found[0] == {"type": "chunk", "message_id": run.message_id, "attempt": 1, "offset": 0, "text": PIECES[0]}
    subscription.close()


def test_pieces_are_no_events(run: DrivenRun, raw: redis.Redis) -> None:
    """The record would hold every word of every answer as an event."""
    say(run, *PIECES)
    assert run.transcript() == "G["
    assert raw.xlen(keys.LOG) == 1


def test_a_piece_that_is_sent_again_is_kept_once(run: DrivenRun) -> None:
    """After one lost reply from Redis, who comes late would read words twice."""
    said = ""
    for piece in PIECES:
        for _ in range(2):
            assert run.bus.chunk(*run.ids, run.token, 1, len(said), piece)
        said += piece
        assert run.bus.run_state(run.message_id).answer == said


def test_the_answer_expires(run: DrivenRun, raw: redis.Redis) -> None:
    """Redis would keep the text of every answer for ever."""
    say(run, *PIECES)
    assert 0 < raw.pttl(keys.answer(run.message_id)) <= run.bus.settings.run_ttl_seconds * 1000


def test_a_session_says_that_an_answer_is_kept(run: DrivenRun, raw: redis.Redis) -> None:
    """A page reloaded in mid-answer would not look for what is written, and lose the answer's beginning."""
    assert not run.bus.session_clock(run.session_id).answering
    for number, piece in enumerate(PIECES):
        raw.delete(keys.answering(run.session_id))
        run.bus.chunk(*run.ids, run.token, 1, len("".join(PIECES[:number])), piece)
        assert run.bus.session_clock(run.session_id).answering
        # Never gone before the answer is.
        assert raw.pexpiretime(keys.answering(run.session_id)) >= raw.pexpiretime(keys.answer(run.message_id))
    assert not run.bus.session_clock("another").answering


def test_what_is_announced_is_what_is_kept(run: DrivenRun) -> None:
    """The words on the page would not be the saved answer, character by character, and later offsets be wrong."""
    channel = keys.session_channel("s-1")
    subscription = run.bus.subscribe()
    subscription.follow(channel)
    wait_for(lambda: subscription.read(1) == channel, "the subscription")
    for text in ('a"b\\c{}\u2028', "one\r\ntwo", "\x1b[31mred", "\u202eback\u202c"):
        before = run.bus.run_state(run.message_id).answer
        assert run.bus.chunk(*run.ids, run.token, 1, len(before), text)
        frame = subscription.read(5)
        assert isinstance(frame, Frame)
        assert before + orjson.loads(frame.body)["text"] == run.bus.run_state(run.message_id).answer
    subscription.close()
