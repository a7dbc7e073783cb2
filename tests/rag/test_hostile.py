"""Questions that are no questions never raise and never find what is not there."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.store.documents import DocumentIndex
from tasks.rag.fts import FtsRetriever
from tests.rag.conftest import Ask

HOSTILE = [
    *('"', '"""', "''", 'leave" OR 1=1 --', "leave AND NOT (", "title:leave", "^leave", "leave*", "NEAR(leave hours)"),
    *("NOT leave", "{title heading}: leave", "-leave", "a\x00b leave", "\x00", "😀🎉", "leave 😀", "\ud800 leave"),
    *(
        "\u202eleave",
        "ａｎｎｕａｌ",
        "नमस्ते दुनिया",
        "你好世界",
        "' ; DROP TABLE chunks; --",
        "%s%s%n",
        "\\",
        "\n\n\n",
        " ",
    ),
    *("leave " * 2_700, "x" * 16_384, " ".join(f"word{n}" for n in range(2_000)), "\n".join(["leave"] * 3_000)),
]


@pytest.mark.parametrize("message", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_only_text(filled: DocumentIndex, ask: Ask, message: str) -> None:
    """A user who pastes code, emoji or nonsense would get an error instead of a refusal."""
    began = time.process_time()
    given_answer = ask(message)
    assert given_answer.text
    assert time.process_time() - began < 10
    assert filled.collections()[0].documents == 5


@settings(deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=200))
def test_any_text_can_be_searched(filled: DocumentIndex, message: str) -> None:
    """A user would find a combination of characters that breaks the search."""
    found = FtsRetriever(filled).search("docs", message, 5)
    assert 0.0 <= found.confidence <= 1.0
