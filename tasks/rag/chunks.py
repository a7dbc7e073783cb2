"""Cutting a document into chunks of about 1,000 characters, each under its own heading."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator

from semantic_text_splitter import TextSplitter

from pipeline.store.documents import Chunk
from pipeline.store.word_forms import forms
from tasks.rag.plaintext import PlainText
from tasks.rag.terms import words

CHUNK_CHARACTERS = 1_000
HEADING_SEPARATOR = " > "
_HEADING_LIMIT_CHARACTERS = 300


@dataclasses.dataclass(frozen=True)
class Section:
    """The characters `start` to `end` that stand under one heading, with the path of headings above them."""

    heading: str
    start: int
    end: int


def sections(plain: PlainText) -> Iterator[Section]:
    """The document's sections in order. A heading over nothing is the whole of its own section."""
    path: list[tuple[int, str]] = []
    start = 0
    for number, heading in enumerate(plain.headings):
        if number == 0 and plain.text[: heading.start].strip():
            yield Section("", 0, heading.start)
        path = [above for above in path if above[0] < heading.level]
        path.append((heading.level, heading.text))
        after = number + 1
        end = plain.headings[after].start if after < len(plain.headings) else len(plain.text)
        deeper = after < len(plain.headings) and plain.headings[after].level > heading.level
        start = heading.end
        if not plain.text[start:end].strip():
            if deeper:
                continue
            start = heading.start
        names = [text for _, text in path if text != plain.title]
        yield Section(HEADING_SEPARATOR.join(names)[:_HEADING_LIMIT_CHARACTERS], start, end)
    if not plain.headings and plain.text.strip():
        yield Section("", 0, len(plain.text))


def chunk(collection: str, path: str, plain: PlainText, language: str = "") -> list[Chunk]:
    """The document's chunks, without overlap. The same text at the same place always gets the same `chunk_id`.

    The `language` decides under which stems they are found beside the index's own.
    """
    splitter = TextSplitter(CHUNK_CHARACTERS)
    chunks = []
    for section in sections(plain):
        for offset, text in splitter.chunk_indices(plain.text[section.start : section.end]):
            start = section.start + offset
            found = forms(words(f"{plain.title}\n{section.heading}\n{text}"), language)
            spoken = " ".join(dict.fromkeys(found))
            # With its stems, so that a document is indexed again when the rules for them have changed.
            key = "\0".join((collection, path, str(start), text, *filter(None, [spoken])))
            chunk_id = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
            chunks.append(Chunk(chunk_id, section.heading, text, start, start + len(text), spoken))
    return chunks
