"""The child process that reads files: hostile files are refused with a plain reason, and the next file is read."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import UnsupportedDocument
from tasks.rag.limits import Limits
from tasks.rag.reading import FileReader
from tests.rag.files import archive, docx, lines, paragraph, pdf

PAGE = [lines("The harbour opens at nine.")]
LOCK = "/Encrypt << /Filter /Standard /V 1 /R 2 /O ({}) /U ({}) /P -4 >> /ID [(a)(a)]".format("x" * 32, "y" * 32)
AES = (
    "/Encrypt << /Filter /Standard /V 5 /R 6 /Length 256 /O ({}) /U ({}) /OE ({}) /UE ({}) /Perms ({}) /P -4 >>"
    " /ID [(a)(a)]".format("x" * 48, "y" * 48, "z" * 32, "z" * 32, "p" * 16)
)
ENTITY = '<!DOCTYPE x [<!ENTITY a "bomb">]>'


@pytest.fixture(scope="module")
def reader_with_low_limits() -> Iterator[FileReader]:
    """One reader for all files, so that each also shows that the reader outlived the one before."""
    with FileReader(Limits(pages=30, unpacked_bytes=1_000_000, text_characters=200_000)) as made:
        yield made


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("locked.pdf", pdf(PAGE, trailer=LOCK), "The PDF file is encrypted; save it without a password."),
        ("aes.pdf", pdf(PAGE, trailer=AES), "The PDF file is encrypted; save it without a password."),
        ("scan.pdf", pdf([b"q Q", b""]), "run it through text recognition"),
        ("cut.pdf", pdf(PAGE)[:500], "The PDF file is damaged"),
        ("noise.pdf", b"%PDF-1.7 " + bytes(range(256)) * 9, "The PDF file is damaged"),
        ("bomb.pdf", pdf([b" " * 90_000_000], compress=True), "The PDF file unpacks to more than can be read."),
        ("long.pdf", pdf([b""] * 31), "The PDF file has 31 pages; at most 30 are read."),
        ("bomb.docx", docx("", {"word/document.xml": b"<a>" + b" " * 2_000_000}), "unpacks to more than 1 MB of text"),
        ("entity.docx", docx(paragraph("x"), prologue=ENTITY), "declares a document type"),
        ("deep.docx", docx("<w:x>" * 600), "more than 500 deep in each other"),
        ("cut.docx", docx("<w:p>"), "The Word file is damaged: its text cannot be read."),
        ("zip.docx", archive({"a.txt": "hello"}), "The file is no Word file but another archive."),
        ("wordy.docx", docx(paragraph("x" * 200_001)), "holds more than 200,000 characters of text"),
        ("deep.html", b"<div>" * 2_000, "more than 1000 open <div> tags"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 12 else "",
)
def test_a_hostile_file_is_refused_with_its_reason(
    reader_with_low_limits: FileReader, name: str, data: bytes, reason: str
) -> None:
    """Without this one bad file would end the indexing of a whole folder, or go missing without a word."""
    with pytest.raises(UnsupportedDocument) as caught:
        reader_with_low_limits.parse(name, data)
    assert reason in str(caught.value)


def test_a_file_that_takes_too_long_is_given_up_and_the_next_is_read() -> None:
    """Without this a file made to hang its reader would stop the indexing for good."""
    endless = pdf([b"q 1 0 0 1 0 0 cm Q " * 700_000], compress=True)
    with FileReader(Limits(seconds=1)) as reader:
        with pytest.raises(UnsupportedDocument, match="took longer than 1 seconds to read"):
            reader.parse("endless.pdf", endless)
        assert reader.parse("a.html", b"<p>The harbour opens.</p>").text == "The harbour opens."


def test_a_file_that_needs_too_much_memory_is_given_up_and_the_next_is_read() -> None:
    """Without this a file made to fill the memory would take the other processes of the machine with it."""
    with FileReader(Limits(memory_bytes=64 * 1024 * 1024)) as reader:
        with pytest.raises(UnsupportedDocument, match="The file needs more than 64 MiB to be read"):
            reader.parse("big.pdf", pdf([b" " * 60_000_000], compress=True))
        assert reader.parse("a.html", b"<p>The harbour opens.</p>").text == "The harbour opens."


def test_a_reader_that_is_killed_fails_one_file_only() -> None:
    """Without this a reader that breaks down would take the whole command with it."""
    with FileReader() as reader:
        reader.parse("a.html", b"<p>x</p>")
        killed: list[int] = []

        def kill(page: int, _pages: int) -> None:
            killed.append(page)
            os.kill(reader.process_id, signal.SIGKILL)

        with pytest.raises(UnsupportedDocument, match="its reader broke down over it"):
            reader.parse("a.pdf", pdf(PAGE * 300), kill)
        assert killed[0] == 1
        assert reader.parse("a.html", b"<p>y</p>").text == "y"


def test_the_reader_knows_no_secret_and_leaves_no_process() -> None:
    """Without this a hostile file could read the keys that the worker has in its environment."""
    reader = FileReader()
    reader.parse("a.html", b"<p>x</p>")
    child = reader.process_id
    assert Path(f"/proc/{child}/environ").read_bytes() == b""
    reader.close()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_each_page_is_told(reader: FileReader) -> None:
    """Without this a user would look at a long document for a minute and see nothing move."""
    told: list[tuple[int, int]] = []
    reader.parse("a.pdf", pdf(PAGE * 3), lambda page, pages: told.append((page, pages)))
    assert told == [(1, 3), (2, 3), (3, 3)]
