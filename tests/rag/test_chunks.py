"""Cutting documents into chunks."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.rag.chunks import CHUNK_CHARACTERS, chunk
from tasks.rag.markdown_text import parse_markdown
from tasks.rag.plaintext import PlainText

GUIDE = """# Guide

Intro.

## Install

One.

### Linux

Two.

## Use

### Empty

### Web

Three.
"""


def test_every_chunk_stands_under_its_own_headings() -> None:
    """A user would be told of one section under the name of another."""
    chunks = chunk("docs", "guide.md", parse_markdown(GUIDE))
    assert [(c.heading, c.text) for c in chunks] == [
        ("", "Intro."),
        ("Install", "One."),
        ("Install > Linux", "Two."),
        ("Use > Empty", "Empty"),
        ("Use > Web", "Three."),
    ]


def test_long_sections_are_cut_without_overlap_or_loss() -> None:
    """A user would miss what stands where two chunks meet, or read it twice."""
    text = " ".join(f"Sentence number {number} tells of été 😀." for number in range(400))
    chunks = chunk("docs", "a.txt", PlainText(text))
    assert len(chunks) > 10
    assert all(c.text == text[c.start : c.end] and len(c.text) <= CHUNK_CHARACTERS for c in chunks)
    assert [a.end <= b.start for a, b in itertools.pairwise(chunks)] == [True] * (len(chunks) - 1)
    assert "".join(c.text for c in chunks).replace(" ", "") == text.replace(" ", "")


def test_ids_tell_collection_path_place_and_text() -> None:
    """A user who adds a file again would find everything twice, or lose one of two equal paragraphs."""
    plain = PlainText("same\n\n" + "x " * 600 + "\n\nsame")
    ids = [c.chunk_id for c in chunk("docs", "a", plain)]
    assert ids == [c.chunk_id for c in chunk("docs", "a", plain)]
    assert len(set(ids)) == len(ids)
    assert not set(ids) & {c.chunk_id for c in chunk("docs", "b", plain)}
    assert not set(ids) & {c.chunk_id for c in chunk("other", "a", plain)}


@settings(deadline=None, database=None, derandomize=True)
@given(st.text(alphabet=st.sampled_from("ab# -*|`_[]().\n\t😀é<>&{}%\\>"), max_size=400))
def test_no_markdown_breaks_the_offsets(source: str) -> None:
    """A user would follow a citation to the wrong characters."""
    plain = parse_markdown(source)
    for heading in plain.headings:
        assert plain.text[heading.start : heading.end] == heading.text
    for part in chunk("docs", "a", plain):
        assert plain.text[part.start : part.end] == part.text
