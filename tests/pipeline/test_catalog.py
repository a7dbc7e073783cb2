"""The sentences that users read: word for word as the first seed promised, in three languages, never as code."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import catalog, catalog_texts, catalog_unified
from pipeline.catalog import language_of, lookup, render, user_message
from pipeline.event import Category, Priority, Status

PROMISED: dict[str, tuple[str, str, str]] = {
    "message_received": (
        "📩 Processing your message...",
        "",
        "✅ Message received and validated",
    ),
    "loading_history": (
        "📚 Loading conversation history...",
        "",
        "✅ History loaded",
    ),
    "agent_thinking": (
        "🤔 AI is analyzing your question...",
        "🧠 Understanding context and requirements...",
        "✅ Analysis complete",
    ),
    "tool_search_documents": (
        "📄 Searching relevant documents...",
        "🔍 Found {count} potential matches...",
        "✅ Document search complete",
    ),
    "tool_search_webpages": (
        "🌐 Searching web content...",
        "🔍 Analyzing {count} web pages...",
        "✅ Web search complete",
    ),
    "tool_collection_stats": (
        "📊 Gathering collection statistics...",
        "",
        "✅ Statistics retrieved",
    ),
    "tool_extract_text": (
        "📝 Extracting relevant text content...",
        "🔍 Processing {count} sources...",
        "✅ Text extraction complete",
    ),
    "response_generation": (
        "✍️ Generating response...",
        "📝 Crafting answer with sources...",
        "✅ Response ready",
    ),
    "saving_message": (
        "💾 Saving conversation...",
        "",
        "✅ Conversation saved",
    ),
}
"""By type: started, progress, completed."""
SENTENCES = [
    (event_type, status, text)
    for event_type, texts in PROMISED.items()
    for status, text in zip(("started", "progress", "completed"), texts, strict=True)
]


@pytest.mark.parametrize(("event_type", "status", "text"), SENTENCES)
def test_the_first_seeds_sentences(event_type: str, status: str, text: str) -> None:
    """A frontend of the first seed would show other words than its users know."""
    expected = text.replace("{count}", "5") if text else f"{event_type}:{status}"
    assert user_message(event_type, status, "en", {"count": 5}) == expected
    assert user_message(event_type, Status(status), "en", {"count": 5}) == expected


def test_the_table_above_is_whole() -> None:
    """A type of the seed would be without sentences."""
    assert tuple(PROMISED) == catalog.STAGE_TYPES
    assert set(catalog_texts.TEXTS) == {*catalog.STAGE_TYPES, "error", "gap", *catalog_unified.TYPES}


@pytest.mark.parametrize("event_type", catalog_texts.TEXTS)
def test_every_sentence_is_said_in_every_language(event_type: str) -> None:
    """A user who asked in Kiswahili or French would be answered half in English."""
    for status, texts in catalog_texts.TEXTS[event_type].items():
        assert set(texts) == set(catalog.LANGUAGES)
        assert len({frozenset(re.findall(r"\{.*?\}", text)) for text in texts.values()}) == 1, status
        assert all(text.strip() == text and text for text in texts.values())
        if event_type != "error":
            assert len(set(texts.values())) == 3, f"{event_type} {status} is not translated"


@pytest.mark.parametrize("event_type", catalog.STAGE_TYPES)
def test_every_stage_can_fail_in_words(event_type: str) -> None:
    """A user would read `agent_thinking:failed`."""
    for language in catalog.LANGUAGES:
        assert user_message(event_type, "failed", language).startswith("⚠️ ")


def test_an_error_says_its_message() -> None:
    """A user would not learn why there is no answer."""
    for language in catalog.LANGUAGES:
        assert user_message("error", "failed", language, {"error_message": "No luck."}) == "❌ No luck."
    assert user_message("error", "failed", "en") == "❌"


def test_every_reason_is_said_in_every_language() -> None:
    """A failure would be told as a code."""
    assert set(catalog_texts.REASONS) == {"error", "timeout", "worker_lost", "cancelled", "expired"}
    for texts in (*catalog_texts.REASONS.values(), catalog_texts.RETRY):
        assert len({texts[language] for language in catalog.LANGUAGES}) == 3


@pytest.mark.parametrize(
    ("tag", "language"),
    [("en", "en"), ("fr", "fr"), ("sw", "sw"), ("fr-CA", "fr"), ("FR_fr", "fr"), ("sw-KE", "sw")]
    + [(tag, "en") for tag in (None, "", "de", "fra", "*", "-", "fr;q=0.5")],
)
def test_a_language_tag_chooses_the_language(tag: str | None, language: str) -> None:
    """A browser's `fr-CA` would be answered in English."""
    assert language_of(tag) == language
    if tag:
        assert user_message("saving_message", "started", tag) == user_message("saving_message", "started", language)


@pytest.mark.parametrize("name", ["custom.thing", "loading_history", "tool_x"])
def test_an_unknown_type_or_status_still_shows_something(name: str) -> None:
    """A user would see an empty line for an event of one's own making."""
    assert user_message(name, "paused", "fr") == f"{name}:paused"
    assert lookup(name).name == name


def test_what_matters_is_marked_so() -> None:
    """An operator's alerts and an auditor's filter would miss errors."""
    assert (lookup("error").priority, lookup("error").category) == (Priority.HIGH, Category.WORKFLOW)
    assert lookup(catalog.SPAN_TYPE).audience is catalog.Audience.OPERATOR
    assert lookup("custom.thing").audience is catalog.Audience.USER


@pytest.mark.parametrize(
    ("template", "values", "text"),
    [
        ("Found {count} matches", {"count": 0}, "Found 0 matches"),
        ("Found {count} matches", {}, "Found matches"),
        ("Found {count} matches", {"count": None}, "Found matches"),
        ("{count} pages", {}, "pages"),
        ("all {count}", {"other": 1}, "all"),
        ("{a}{b}", {"a": "{b}", "b": "{a}"}, "{b}{a}"),
        ("{x.__class__}", {"x": 1}, "{x.__class__}"),
        ("{x[0]} {x!r} {0}", {"x": "secret", "0": "secret"}, "{x[0]} {x!r} {0}"),
        ("{count:>99999999}", {"count": 1}, "{count:>99999999}"),
        ("%(count)s $count {{count}}", {"count": 7}, "%(count)s $count {7}"),
        ("say {word}", {"word": "a\x00\u202eb"}, "say ab"),
    ],
)
def test_placeholders_are_plain_names_only(template: str, values: dict[str, Any], text: str) -> None:
    """A template of a custom event could read the program's insides, or fill its memory."""
    assert render(template, values) == text


def test_a_long_value_is_cut() -> None:
    """A document's title could push the whole sentence off the page."""
    assert len(render("{title}", {"title": "x" * 100_000})) == 400


@given(st.text(max_size=60), st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=4))
def test_no_template_raises(template: str, values: dict[str, str]) -> None:
    """A typing error in a template would bring the stage down."""
    assert isinstance(render(template, values), str)
