"""Files as plain text with headings, by their ending: txt, md, html, csv, pdf and docx."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import PurePosixPath

from pipeline.errors import UnsupportedDocument
from tasks.rag.csv_text import parse_csv
from tasks.rag.docx_text import parse_docx
from tasks.rag.html_text import parse_html
from tasks.rag.limits import Limits, OnPage, no_news
from tasks.rag.markdown_text import parse_markdown
from tasks.rag.pdf_text import parse_pdf
from tasks.rag.plaintext import PlainText
from tasks.rag.signatures import check_signature

_TEXTS: dict[str, Callable[[str], PlainText]] = {
    ".txt": PlainText,
    ".md": parse_markdown,
    ".markdown": parse_markdown,
    ".csv": parse_csv,
    ".tsv": parse_csv,
    ".html": parse_html,
    ".htm": parse_html,
}
_BINARIES: dict[str, Callable[[bytes, Limits, OnPage], PlainText]] = {".pdf": parse_pdf, ".docx": parse_docx}
SUFFIXES = frozenset(_TEXTS) | frozenset(_BINARIES)
# Read by libraries for formats in which a small file can ask for much: only ever in a child process.
READ_APART = frozenset({".html", ".htm", *_BINARIES})


def decode(data: bytes) -> str:
    """The text of a file, its line ends as newlines. Raises UnsupportedDocument if it is not UTF-8 text."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnsupportedDocument("The file is UTF-16 text; save it as UTF-8.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnsupportedDocument(f"The file is not UTF-8 text (byte {error.start}).") from None
    if "\0" in text:
        raise UnsupportedDocument("The file is not text: it holds NUL characters.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def suffix_of(name: str) -> str:
    """The ending of a file's name, such as `.pdf`. Raises UnsupportedDocument when such files are not read."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise UnsupportedDocument("Only txt, md, html, csv, pdf and docx files can be read.")
    return suffix


def parse(name: str, data: bytes, limits: Limits | None = None, on_page: OnPage = no_news) -> PlainText:
    """The plain text of a file called `name`; without a title of its own it gets one from the name.

    Raises UnsupportedDocument when it is too big, not text, empty, or of another format; a damaged PDF file may raise
    anything.
    """
    limits = limits or Limits()
    suffix = suffix_of(name)
    if len(data) > limits.file_bytes:
        raise UnsupportedDocument(f"The file is larger than {limits.file_bytes // 1_000_000} MB.")
    if not data:
        raise UnsupportedDocument("The file is empty.")
    check_signature(suffix, data)
    plain = _BINARIES[suffix](data, limits, on_page) if suffix in _BINARIES else _TEXTS[suffix](decode(data))
    if not plain.text.strip():
        raise UnsupportedDocument("The file holds no text.")
    if len(plain.text) > limits.text_characters:
        raise UnsupportedDocument(f"The file holds more than {limits.text_characters:,} characters of text.")
    if plain.title:
        return plain
    stem = PurePosixPath(name).stem
    return dataclasses.replace(plain, title=" ".join(stem.replace("_", " ").replace("-", " ").split()) or name)
