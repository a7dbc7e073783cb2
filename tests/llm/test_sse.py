"""The taking apart of an event stream."""

from __future__ import annotations

import pytest

from pipeline.errors import TransientFault
from tasks.llm.sse import EVENT_LIMIT_BYTES, EventParser

STREAM = (
    '\ufeff: hello\r\n\r\ndata: {"a": "Grüße 🎉"}\r\n\r\nevent: x\nid: 7\ndata:two\ndata: lines\n\n\n\ndata: [DONE]\r\r'
)
DATA = ['{"a": "Grüße 🎉"}', "two\nlines", "[DONE]"]


def parse(*pieces: bytes) -> list[str]:
    """All events of these pieces."""
    parser = EventParser()
    return [data for piece in pieces for data in parser.feed(piece)] + parser.finish()


def test_a_stream_in_one_piece() -> None:
    """A user would lose text to comments, field names, CRLF, CR or a missing space."""
    assert parse(STREAM.encode()) == DATA


def test_every_place_where_a_read_may_cut() -> None:
    """A user would see broken characters, or miss a word, when a network packet ends in the middle of it."""
    whole = STREAM.encode()
    for cut in range(len(whole) + 1):
        assert parse(whole[:cut], whole[cut:]) == DATA, f"cut at {cut}"


def test_byte_by_byte() -> None:
    """A user would lose text on a connection that delivers single bytes."""
    assert parse(*(bytes([byte]) for byte in STREAM.encode())) == DATA


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r"])
def test_the_last_event_without_a_blank_line(end: str) -> None:
    """A user would lose the last word of an endpoint that forgets the blank line."""
    assert parse(f"data: one\n\ndata: last{end}".encode()) == ["one", "last"]


def test_a_finished_event_is_given_at_once() -> None:
    """A user would see each word only when the next one comes."""
    for blank in (b"\n\n", b"\r\n\r\n", b"\r\r"):
        assert EventParser().feed(b"data: word" + blank) == ["word"]


def test_an_event_without_end_is_refused() -> None:
    """A user would lose the worker to an endpoint that never ends a line."""
    parser = EventParser()
    parser.feed(b"data: " + b"x" * (EVENT_LIMIT_BYTES - 100))
    with pytest.raises(TransientFault):
        parser.feed(b"x" * 100)


def test_an_event_of_endless_lines_is_refused() -> None:
    """A user would lose the worker to an endpoint that never ends an event."""
    parser = EventParser()
    line = b"data: " + b"x" * 1_000 + b"\n"
    parser.feed(line * (EVENT_LIMIT_BYTES // 1_001))
    with pytest.raises(TransientFault):
        parser.feed(line * 2)
