"""PDF files as plain text: paragraphs, and headings by how large they are written."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Sequence
from typing import Any

from pipeline.errors import UnsupportedDocument
from tasks.rag.limits import Limits, OnPage
from tasks.rag.pdf_lines import Line, heading_levels, is_heading, paragraphs, without_repeated
from tasks.rag.plaintext import PlainText, Writer

_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u00ad\u200b\ufeff]")
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "\u00a0": " "})
_BULLET = re.compile(r"^[\u2022\u25cf\u25aa\u25e6\uf0b7\u2023\u2043]\s*")
_BROKEN_WORD = re.compile(r"(?<=[^\W\d_])[-\u2010]\n(?=[a-zà-öø-ÿ])")
_ENDED = re.compile(r"[.!?:;\u2026][\"'\u201d\u2019\u00bb)\]]*$")
# What programs write where no one has given a title.
_NO_TITLE = re.compile(
    r"^(?:untitled|document\d*|microsoft word - .*|.*\.(?:docx?|pdf|indd|tex|dvi|odt|xlsx?|pptx?))$", re.IGNORECASE
)
_NO_TEXT = (
    "The PDF file holds no text that can be taken out. If it is a scan, run it through text recognition (OCR) first."
)


def parse_pdf(data: bytes, limits: Limits, on_page: OnPage) -> PlainText:
    """The plain text of a PDF file; tells of each page. Raises UnsupportedDocument, or whatever the library raises."""
    # Here, since only the child that reads files needs it.
    from pypdf import PdfReader
    from pypdf.errors import DependencyError, LimitReachedError, PyPdfError

    try:
        reader = PdfReader(io.BytesIO(data))
        # Many files are encrypted with an empty password: all may read them, but not all may print them.
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnsupportedDocument("The PDF file is encrypted; save it without a password.")
        count = len(reader.pages)
        if count > limits.pages:
            raise UnsupportedDocument(f"The PDF file has {count:,} pages; at most {limits.pages:,} are read.")
        pages, left = [], limits.text_characters
        for number in range(count):
            pages.append(_lines(reader.pages[number]))
            left -= sum(len(line.text) for line in pages[-1])
            if left < 0:
                raise UnsupportedDocument(f"The file holds more than {limits.text_characters:,} characters of text.")
            on_page(number + 1, count)
        title = reader.metadata.title if reader.metadata else None
    except DependencyError as error:
        raise UnsupportedDocument("The PDF file is encrypted; save it without a password.") from error
    except LimitReachedError as error:
        raise UnsupportedDocument("The PDF file unpacks to more than can be read.") from error
    except PyPdfError as error:
        raise UnsupportedDocument("The PDF file is damaged: it cannot be read.") from error
    return _written(pages, title if isinstance(title, str) else "")


def _lines(page: Any) -> list[Line]:
    """The page's lines in the order in which they are written."""
    lines: list[Line] = []
    sizes: list[float] = []
    text, height = "", 0.0

    def close() -> None:
        nonlocal text
        line = " ".join(text.split())
        if line:
            lines.append(Line(line, max(set(sizes), key=sizes.count, default=0.0), height))
        text = ""
        sizes.clear()

    def take(piece: str, cm: Sequence[float], tm: Sequence[float], _font: object, size: float) -> None:
        nonlocal text, height
        for number, part in enumerate(_clean(piece).split("\n")):
            if number:
                close()
            if part.strip():
                if not text.strip():
                    height = tm[5] * cm[3] + cm[5]
                text += part
                sizes.extend([round(abs(size * tm[3] * cm[3]) or size, 1)] * len(part.strip()))
            elif text:
                text += part

    page.extract_text(visitor_text=take)
    close()
    return lines


def _clean(text: str) -> str:
    # Half of a character pair, as damaged fonts give it, cannot be written.
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _UNSEEN.sub("", whole.translate(_LIGATURES))


def _written(pages: Sequence[Sequence[Line]], title: str) -> PlainText:
    if not any(pages):
        raise UnsupportedDocument(_NO_TEXT)
    pages = without_repeated(pages)
    levels = heading_levels(pages)
    named = any(is_heading(line, levels) for page in pages for line in page)
    text = _Text()
    for number, page in enumerate(pages, start=1):
        if not named and len(pages) > 1 and page:
            # So that a passage tells where it stands.
            text.page(number)
        for paragraph in paragraphs(page):
            if is_heading(paragraph[0], levels):
                text.heading(levels[paragraph[0].size], _joined(paragraph))
            else:
                text.paragraph(_joined(paragraph))
    title = " ".join(_clean(title).split())
    title = "" if _NO_TITLE.match(title) else title
    plain = text.finish(title)
    return plain if named or title else dataclasses.replace(plain, title="")


class _Text:
    """Writes paragraphs, and joins those that a gap or the end of a page cut in two."""

    def __init__(self) -> None:
        self._writer = Writer()
        self._open = ""
        self._page = 0

    def page(self, number: int) -> None:
        """A page begins; what stands on it gets its number for a heading, once the last page's sentence has ended."""
        self._page = number

    def heading(self, level: int, text: str) -> None:
        """Writes a heading."""
        self._close()
        self._writer.heading(level, text)

    def paragraph(self, text: str) -> None:
        """Takes a paragraph, which may go on."""
        if self._open and text[:1].islower() and not _ENDED.search(self._open):
            self._open = _BROKEN_WORD.sub("", f"{self._open}\n{text}")
            return
        self._close()
        if self._page:
            self._writer.heading(1, f"Page {self._page}")
            self._page = 0
        self._open = text

    def finish(self, title: str) -> PlainText:
        """All that was written."""
        self._close()
        return self._writer.finish(title)

    def _close(self) -> None:
        kind = "item" if self._open.startswith("- ") else "paragraph"
        self._writer.write(self._open, kind)
        self._open = ""


def _joined(lines: Sequence[Line]) -> str:
    return _BROKEN_WORD.sub("", "\n".join(_BULLET.sub("- ", line.text) for line in lines))
