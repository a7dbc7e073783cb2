"""Dead letters: every byte is kept, so that what was refused can be stored once the cause is gone."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text, update

from pipeline.store import Store, dead_letters
from pipeline.store import events as stored_events
from pipeline.store.models import dead_letters as table
from pipeline.store.recording import record, retry
from tests.store.test_conversations import ask, told
from tests.store.test_recording import count, counted
from tests.store.wires import NOW, error, stored, wire

_REFUSE = {
    "sqlite": "CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.task_id = 'refused' "
    "BEGIN SELECT RAISE(ABORT, 'refused'); END",
    "postgresql": "ALTER TABLE events ADD CONSTRAINT refuse CHECK (task_id <> 'refused')",
}
_ALLOW = {"sqlite": "DROP TRIGGER refuse", "postgresql": "ALTER TABLE events DROP CONSTRAINT refuse"}


def refuse(store: Store, way: dict[str, str] = _REFUSE) -> None:
    """Lets the database refuse good events, or take them again."""
    with store.write() as connection:
        connection.execute(text(way[store.dialect]))


def left(store: Store) -> list[str]:
    """The entries of the letters."""
    return [letter.entry_id for letter in dead_letters.listed(store, 1_000)]


def test_what_was_refused_is_stored_once_its_cause_is_gone(store: Store) -> None:
    """An event that was refused by a fault of the database would be missing from the record for ever."""
    refuse(store)
    body = wire(NOW, task_id="refused", user_message="ünï 🔍", processing_time_ms=7, event_data={"n": [1.5, None]})
    assert stored(store, wire(NOW - 1), body, wire(NOW + 1)).buried == 1
    assert "refused it" in (retry(store, f"{NOW}-0") or "")
    assert (left(store), count(store)) == ([f"{NOW}-0"], 2)
    refuse(store, _ALLOW)
    assert retry(store, f"{NOW}-0") is None
    assert (left(store), count(store), counted(store)) == ([], 3, 3)
    assert stored_events.session_events(store, "s-1", 0, 10)[1].wire == body
    with pytest.raises(KeyError):
        retry(store, f"{NOW}-0")


def test_what_is_stored_already_is_not_stored_again(store: Store) -> None:
    """A letter that was also recorded by another way would be counted twice."""
    refuse(store)
    body = wire(NOW, task_id="refused")
    stored(store, body)
    refuse(store, _ALLOW)
    record(store, [(f"{NOW}-1", body)], lambda _: "")
    assert retry(store, f"{NOW}-0") is None
    assert (left(store), count(store), counted(store)) == ([], 1, 1)


def test_a_failed_message_is_marked_by_its_letter(store: Store) -> None:
    """A question whose ending was refused would look as if it were still worked on."""
    ask(store, "m-1")
    record(store, [("1-1", b"{")], lambda _: "")
    with store.write() as connection:
        connection.execute(update(table).values(wire=error(NOW, "m-1")))
    assert retry(store, "1-1") is None
    assert [row[2] for row in told(store)] == ["failed"]


ODD = [b"\x00\xff not json \xc3\xa9", b"", '{"a": "\ufffd"}'.encode(), b"\\0"]


def test_every_byte_is_kept(store: Store) -> None:
    """What was lost could not be put together again from the text, in which bytes are replaced."""
    record(store, [(f"{number}-1", body) for number, body in enumerate(ODD)], lambda _: "")
    with store.read() as connection:
        assert list(connection.execute(select(table.c.wire).order_by(table.c.entry_id)).scalars()) == ODD
    assert all(retry(store, f"{number}-1") for number in range(len(ODD)))


def test_a_letter_of_before_is_tried_by_its_text(store: Store) -> None:
    """After an update the letters that lie there could never be stored."""
    body = wire(NOW)
    record(store, [("1-1", b"{"), ("2-1", b"{"), ("3-1", None)], lambda _: "")
    with store.write() as connection:
        connection.execute(update(table).values(wire=None))
        connection.execute(update(table).where(table.c.entry_id == "1-1").values(payload=body.decode()))
        replaced = wire(NOW + 1, user_message="\ufffd").decode()
        connection.execute(update(table).where(table.c.entry_id == "2-1").values(payload=replaced))
    assert [retry(store, entry) is None for entry in ("1-1", "2-1", "3-1")] == [True, False, False]
    assert [event.wire for event in stored_events.session_events(store, "s-1", 0, 10)] == [body]


def test_all_letters_are_found_page_by_page(store: Store) -> None:
    """Of a thousand letters only the first hundred would be tried again."""
    record(store, [(f"{number}-1", b"{") for number in range(250)], lambda _: "")
    assert sorted(dead_letters.entry_ids(store)) == sorted(f"{number}-1" for number in range(250))
    assert len(dead_letters.listed(store, 7)) == 7


def test_what_is_shown_is_short_and_harmless(store: Store) -> None:
    """A terminal would be filled, or told to do something, by what an attacker wrote into an event."""
    record(store, [("1-1", b"\x1b[2J\x07evil\nline " + b"x" * 1_000_000)], lambda _: "")
    [letter] = dead_letters.listed(store, 10)
    assert letter.shown.startswith("[2Jevil line xxx")
    assert len(letter.shown) <= dead_letters.SHOWN_CHARACTERS
