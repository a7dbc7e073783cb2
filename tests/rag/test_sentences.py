"""Finding sentences."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.rag.sentences import sentence_spans


def sentences(text: str) -> list[str]:
    """The sentences of the text."""
    return [text[start:end] for start, end in sentence_spans(text)]


def test_sentences_end_where_a_reader_would_say() -> None:
    """A user would be quoted half a sentence, or two as one."""
    assert sentences('Use it, e.g. at home. It costs 3.5 euro! Really? "Yes." J. Smith of the U.S. Army said… so.') == [
        "Use it, e.g. at home.",
        "It costs 3.5 euro!",
        "Really?",
        '"Yes."',
        "J. Smith of the U.S. Army said… so.",
    ]


def test_lines_of_a_wrapped_text_are_one_sentence() -> None:
    """A user would be quoted the end of a line instead of a sentence."""
    assert sentences("It is closed\non public holidays.\nAlways.\n\nNew paragraph") == [
        "It is closed\non public holidays.",
        "Always.",
        "New paragraph",
    ]


def test_an_announcement_takes_its_list_along() -> None:
    """A user would read "you can do it in these ways:" and nothing after it."""
    found = sentences(
        "Ways:\n\n- one. Two.\n- three:\n  - four\n- five\n\nStart it with:\n\nmake run\nmake stop\n\nEnd."
    )
    assert found == [
        "Ways:\n\n- one. Two.\n- three:\n  - four\n- five",
        "one.",
        "Two.",
        "three:\n  - four",
        "four",
        "five",
        "Start it with:\n\nmake run\nmake stop",
        "make run\nmake stop",
        "End.",
    ]


def test_a_long_list_is_cut_at_an_item() -> None:
    """A user would be quoted a page-long list."""
    text = "Ways:\n\n" + "\n".join(f"- item number {number} of a long list" for number in range(60))
    first = sentences(text)[0]
    assert len(first) <= 650
    assert first.endswith("of a long list")


@settings(deadline=None, database=None, derandomize=True)
@given(st.text(alphabet=st.sampled_from("aB1.!?:- \n\t*|)\"'…。😀"), max_size=200))
def test_spans_lie_in_order_within_the_text(text: str) -> None:
    """A user would follow a citation out of the document."""
    for start, end in sentence_spans(text):
        assert 0 <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()
