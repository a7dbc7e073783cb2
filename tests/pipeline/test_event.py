"""An event's shape: what is cut, cleaned, refused, and written as JSON."""

from __future__ import annotations

import datetime
import unicodedata
import uuid
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InvalidCursor, InvalidEvent, SpanfeedError
from pipeline.event import (
    Category,
    Event,
    Identity,
    Priority,
    State,
    Status,
    check_type,
    clean_text,
    encode,
    is_session_id,
    parse_cursor,
)

UNSAFE = ["\x00", "\x1b", "\r", "\x07", "\x7f", "\x85", "\x9b", "\ud800", "\udfff", "\u202e", "\u2066", "\u2069"]
HOSTILE = "".join(UNSAFE)


def decoded(fragment: bytes) -> dict[str, Any]:
    """The JSON object around a piece of an event."""
    return dict(orjson.loads(b"{" + fragment + b"}"))


def is_clean(text: str) -> bool:
    """Whether the text breaks no line, terminal or database."""
    return not any(c in HOSTILE or (unicodedata.category(c) in {"Cc", "Cs"} and c not in "\t\n") for c in text)


@pytest.mark.parametrize("character", UNSAFE)
def test_characters_that_break_things_are_taken_out(character: str) -> None:
    """A document's title could colour an operator's terminal, reorder a line or stop the database."""
    assert clean_text(f"a{character}b") == "ab"
    assert encode({f"k{character}": [f"v{character}"]}) == b'{"k":["v"]}'


def test_ordinary_text_is_left_alone() -> None:
    """Users of other scripts would read their sentences with holes."""
    text = "Ünï\tcode\nمرحبا שלום 你好 👩‍👩‍👧 ½ \\u0000 \\r"
    assert clean_text(text) == text
    assert orjson.loads(encode({"t": text})) == {"t": text}


@given(st.dictionaries(st.text(), st.recursive(st.text() | st.integers(-5, 5) | st.none(), st.lists, max_leaves=10)))
def test_any_text_is_encoded_and_clean(data: dict[str, Any]) -> None:
    """One odd character in a document would lose the event that mentions it."""

    def texts(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [*value, *(t for v in value.values() for t in texts(v))]
        if isinstance(value, list):
            return [t for v in value for t in texts(v)]
        return [value] if isinstance(value, str) else []

    assert all(is_clean(text) for text in texts(orjson.loads(encode(data))))


@pytest.mark.parametrize(
    "value", [{"e": ValueError(f"a{HOSTILE}b")}, [ValueError("a\x00b\ud800")], {"p": {HOSTILE: 1}}]
)
def test_what_becomes_text_on_the_way_is_clean_too(value: Any) -> None:
    """An exception put into an event's data would carry a NUL past the cleaning and into the database."""
    assert not any(sign in encode(value) for sign in (b"\\u00", b"\xe2\x80\xae", b"\x7f"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"nan": float("nan")}, b'{"nan":null}'),
        ({1: "key"}, b'{"1":"key"}'),
        ((1, 2), b"[1,2]"),
        (datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), b'"2026-01-02T00:00:00+00:00"'),
        (uuid.UUID(int=5), b'"00000000-0000-0000-0000-000000000005"'),
        ({"b": b"x"}, b'{"b":"b\'x\'"}'),
        (Status.FAILED, b'"failed"'),
    ],
)
def test_what_json_has_no_word_for_is_written_all_the_same(value: Any, expected: bytes) -> None:
    """An event would be lost because its data held a date or a number that is none."""
    assert encode(value) == expected


def test_what_cannot_be_json_is_a_clear_error() -> None:
    """An emitter would bring its stage down with an error of some library."""
    endless: list[Any] = []
    endless.append(endless)
    deep: Any = "x\x00"
    for _ in range(40):
        deep = [deep]
    for value in (endless, deep, {"n": 2**70}):
        with pytest.raises(InvalidEvent):
            encode(value)


@pytest.mark.parametrize("name", ["message_received", "a", "A.b-c_9", "x" * 100])
def test_legal_names_of_types(name: str) -> None:
    """A custom event's name would be refused for no reason."""
    assert check_type(name) == name


@pytest.mark.parametrize("name", ["", "x" * 101, "a b", "a\n", "ä", "{x}", "a/b", "' OR 1=1--"])
def test_illegal_names_of_types(name: str) -> None:
    """A name with a space or a line break would break the head of every announced event."""
    with pytest.raises(InvalidEvent):
        check_type(name)
    with pytest.raises(InvalidEvent):
        Identity(name, Category.WORKFLOW, Priority.NORMAL).fragment()


@pytest.mark.parametrize(
    ("text", "legal"),
    [("s-1", True), ("A.b:c@d_9", True), ("a5624b8f-5e1b-4d5b-a99a-ab3dd9a9f38e", True), ("x" * 64, True)]
    + [(t, False) for t in ("", "x" * 65, "../x", "a..b", "*", "a b", "a\n", "a/b", "ä", "a\x00", "{0}")],
)
def test_names_of_sessions(text: str, legal: bool) -> None:
    """A session's name could reach into keys and files that are not its own."""
    assert is_session_id(text) is legal


def test_long_texts_are_cut_not_dropped() -> None:
    """An error text over 500 characters lost its event in the original."""
    state = decoded(State(Status.FAILED, "ä" * 501).fragment())
    assert (len(state["user_message"]), state["user_message"][-1]) == (500, "…")
    assert decoded(State(Status.FAILED, "ä" * 500).fragment())["user_message"] == "ä" * 500
    long = "x" * 300
    identity = Identity("t", Category.AUDIT, Priority.HIGH, long, long, long, source_system="sse")
    fields = decoded(identity.fragment())
    assert [len(fields[f]) for f in ("session_id", "message_id", "user_id")] == [64, 64, 128]
    assert (fields["category"], fields["priority"], fields["source_system"]) == ("audit", "high", "sse")


def test_data_has_a_limit_that_is_said_clearly() -> None:
    """One event of a careless tool would fill Redis and every reader's memory."""
    State(Status.PROGRESS, None, {"k": "x" * (1_048_576 - 8)}).fragment()
    with pytest.raises(InvalidEvent, match="1048576"):
        State(Status.PROGRESS, None, {"k": "x" * (1_048_576 - 7)}).fragment()
    State(Status.PROGRESS, None, None, {"k": "x" * (65_536 - 8)}).fragment()
    with pytest.raises(InvalidEvent, match="65536"):
        State(Status.PROGRESS, None, None, {"k": "x" * (65_536 - 7)}).fragment()


def test_an_event_is_read_from_its_bytes() -> None:
    """A client could not be told which event it has."""
    wire = b'{"id":7,"seq":null,"event_type":"t","event_status":null,"category":"c","priority":"p","message_id":null}'
    assert Event.from_wire(wire) == Event(7, None, "t", None, "c", "p", None, wire)
    for broken in (b"", b"{", b"[]", b"null", b'{"id":7}', b"\xff"):
        with pytest.raises(InvalidEvent):
            Event.from_wire(broken)


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("7", 7), ("0007", 7), (str(2**53 - 1), 2**53 - 1)])
def test_a_cursor_is_an_id(text: str, number: int) -> None:
    """A client could not resume where it was."""
    assert parse_cursor(text) == number


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1.5", "abc", "1_000", " 7", "٣", "9" * 20, str(2**53), "7" * 5000, "1e3"]
)
def test_anything_else_is_no_cursor(text: str) -> None:
    """A garbled cursor would silently replay everything, or nothing."""
    with pytest.raises(InvalidCursor):
        parse_cursor(text)


def test_an_error_without_a_word_says_what_it_is() -> None:
    """A log would hold an empty line where the reason belongs."""
    assert str(InvalidCursor()) == "The cursor is not the id of an event."
    assert str(SpanfeedError("own words")) == "own words"
    assert issubclass(InvalidEvent, SpanfeedError)
