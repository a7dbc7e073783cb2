"""Files as plain text: what is read, what is refused, and with what words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.errors import UnsupportedDocument
from tasks.rag.formats import parse
from tasks.rag.limits import SIZE_LIMIT_BYTES
from tasks.rag.reading import FileReader


def test_a_text_file_is_taken_as_it_is() -> None:
    """A user would be sent to the wrong characters of the file by a citation."""
    plain = parse("staff_leave-rules.txt", "First line.\r\nSecond: café 😀.\n".encode())
    assert plain.text == "First line.\nSecond: café 😀.\n"
    assert (plain.title, plain.headings) == ("staff leave rules", ())


def test_a_byte_order_mark_is_no_character() -> None:
    """A user of a Windows editor would see every citation one character off."""
    assert parse("a.txt", b"\xef\xbb\xbfhello").text == "hello"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.xlsx", b"PK", "Only txt, md, html, csv, pdf and docx files can be read."),
        ("noending", b"hello", "Only txt, md, html, csv, pdf and docx files can be read."),
        ("a.txt", "héllo".encode("latin-1"), "The file is not UTF-8 text (byte 1)."),
        ("a.txt", "hello".encode("utf-16"), "The file is UTF-16 text; save it as UTF-8."),
        ("a.md", b"a\x00b", "The file is not text: it holds NUL characters."),
        ("a.txt", b"", "The file is empty."),
        ("a.txt", b" \n\t", "The file holds no text."),
        ("a.md", b"---\ntitle: Moved\n---\n", "The file holds no text."),
        ("a.html", b"<html><body><script>x</script></body></html>", "The file holds no text."),
        ("a.txt", b"%PDF-1.4\nhello", "The file is a PDF file, though its name ends in .txt."),
        ("a.csv", b"PK\x03\x04", "The file is a zip archive or an Office file, though its name ends in .csv."),
        ("a.pdf", b"MZ\x90", "The file is no PDF file but a program."),
        ("a.pdf", b"hello", "The file is no PDF file, though its name says so."),
        ("a.docx", b"%PDF-1.4", "The file is no Word file but a PDF file."),
        (
            "a.docx",
            b"\xd0\xcf\x11\xe0",
            "The file is encrypted, or an old Word file: save it as .docx without a password.",
        ),
        ("a.docx", b"PK\x03\x04 damaged", "The Word file is damaged: its archive cannot be read."),
        ("a.csv", b'a,b\n"open,', "The table cannot be read: unexpected end of data."),
        ("a.txt", b"x" * (SIZE_LIMIT_BYTES + 1), "The file is larger than 10 MB."),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(name: str, data: bytes, reason: str) -> None:
    """A user would wonder why a file is never quoted."""
    with pytest.raises(UnsupportedDocument) as caught:
        parse(name, data)
    assert str(caught.value) == reason


def test_a_file_of_exactly_the_limit_is_read() -> None:
    """A user would be refused a file that the documentation says is accepted."""
    assert len(parse("a.txt", b"x" * SIZE_LIMIT_BYTES).text) == SIZE_LIMIT_BYTES


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    """A user would see `documents add` hang on a named pipe."""
    os.mkfifo(tmp_path / "pipe.txt")
    for name in ("pipe.txt", "absent.txt", ""):
        with pytest.raises(UnsupportedDocument, match="It is not a file"):
            FileReader().read(tmp_path / name)
