"""Files as plain text with headings: txt, md and html, by their ending."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from pipeline.errors import UnsupportedDocument
from tasks.rag.html_text import parse_html
from tasks.rag.markdown_text import parse_markdown
from tasks.rag.plaintext import PlainText

SIZE_LIMIT_BYTES = 10_000_000


_PARSERS: dict[str, Callable[[str], PlainText]] = {
    ".txt": PlainText,
    ".md": parse_markdown,
    ".markdown": parse_markdown,
    ".html": parse_html,
    ".htm": parse_html,
}
SUFFIXES = frozenset(_PARSERS)


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


def parse(name: str, data: bytes) -> PlainText:
    """The plain text of a file called `name`; without a title of its own it gets one from the name.

    Raises UnsupportedDocument when it is too big, not text, empty, or of another format.
    """
    path = PurePosixPath(name)
    parser = _PARSERS.get(path.suffix.lower())
    if parser is None:
        raise UnsupportedDocument("Only txt, md and html files can be read.")
    if len(data) > SIZE_LIMIT_BYTES:
        raise UnsupportedDocument(f"The file is larger than {SIZE_LIMIT_BYTES // 1_000_000} MB.")
    plain = parser(decode(data))
    if not plain.text.strip():
        raise UnsupportedDocument("The file holds no text.")
    if plain.title:
        return plain
    return dataclasses.replace(plain, title=" ".join(path.stem.replace("_", " ").replace("-", " ").split()) or name)


def read(path: Path) -> PlainText:
    """The plain text of the file at `path`. Raises UnsupportedDocument."""
    try:
        if not path.is_file():
            raise UnsupportedDocument("It is not a file.")
        with path.open("rb") as file:
            # One byte more than the limit: enough to know, whatever size the file claims to have.
            return parse(path.name, file.read(SIZE_LIMIT_BYTES + 1))
    except OSError as error:
        raise UnsupportedDocument(f"The file cannot be read: {error.strerror}.") from error
