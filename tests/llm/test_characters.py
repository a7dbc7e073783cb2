"""The making whole of text that arrives in pieces."""

from __future__ import annotations

from tasks.llm.characters import PieceJoiner, whole

HIGH, LOW = "\ud83c", "\udf89"


def test_a_character_split_between_two_pieces() -> None:
    """A user would see two boxes instead of an emoji, and the recorder would refuse the answer."""
    joiner = PieceJoiner()
    assert [joiner.join("a" + HIGH), joiner.join(LOW + "b"), joiner.finish()] == ["a", "🎉b", ""]


def test_a_half_character_whose_other_half_never_comes() -> None:
    """A user would lose the whole answer to one half of a character."""
    joiner = PieceJoiner()
    assert [joiner.join("a" + HIGH), joiner.join("b"), joiner.join(HIGH), joiner.finish()] == [
        "a",
        "\ufffdb",
        "",
        "\ufffd",
    ]
    assert whole(LOW + "é") == "\ufffdé"


def test_nul_is_left_out() -> None:
    """A user would lose the answer in a PostgreSQL database."""
    assert whole("a\x00b") == "ab"


def test_ordinary_text_is_left_alone() -> None:
    """A user would read something else than what the model wrote."""
    for text in ("", "plain", "Grüße, 世界, 🎉\r\n"):
        assert whole(text) == text
