"""Word files as plain text: paragraphs, headings by their styles, lists, tables and notes."""

from __future__ import annotations

from pipeline.errors import UnsupportedDocument
from tasks.rag.docx_archive import Archive
from tasks.rag.docx_styles import TITLE_LEVEL, Styles, outline_level
from tasks.rag.limits import Limits, OnPage
from tasks.rag.plaintext import PlainText, Writer
from tasks.rag.tables import write_table

_BODY = "word/document.xml"
_NOTES = ("word/footnotes.xml", "word/endnotes.xml")
# A drawing is kept twice, the second time for old programs; what was deleted is kept until somebody accepts it.
_UNSEEN = frozenset({"Fallback", "del", "moveFrom", "instrText", "delText", "delInstrText"})


def parse_docx(data: bytes, limits: Limits, on_page: OnPage) -> PlainText:
    """The plain text of a Word file (.docx), which has no pages before it is printed. Raises UnsupportedDocument."""
    archive = Archive(data, limits.unpacked_bytes)
    if not archive.has("[Content_Types].xml") or not archive.has(_BODY):
        raise UnsupportedDocument("The file is no Word file but another archive.")
    body = _Body(Styles(archive), limits.text_characters)
    archive.read(_BODY, body.start, body.end, body.text)
    for notes in _NOTES:
        if archive.has(notes):
            archive.read(notes, body.start, body.end, body.text)
    return body.writer.finish(body.title)


class _Body:
    """Takes elements and text, and writes each paragraph and each table when it ends."""

    def __init__(self, styles: Styles, characters_limit: int) -> None:
        self.writer = Writer()
        self.title = ""
        self._styles = styles
        self._characters_left = characters_limit
        self._limit = characters_limit
        self._unseen = 0
        self._in_text = False
        self._paragraph: list[str] = []
        self._level: int | None = None
        self._listed = False
        # One list of rows for each table within another, the innermost last.
        self._tables: list[list[list[str]]] = []
        self._named: list[bool] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Takes the beginning of an element."""
        if self._unseen or tag in _UNSEEN:
            self._unseen += 1
            return
        if tag == "p":
            self._paragraph, self._level, self._listed = [], None, False
        elif tag == "t":
            self._in_text = True
        elif tag in {"tab", "ptab"}:
            self._paragraph.append(" ")
        elif tag in {"br", "cr"}:
            self._paragraph.append("\n")
        elif tag == "noBreakHyphen":
            self._paragraph.append("-")
        elif tag == "pStyle":
            self._level = self._styles.level(attributes.get("val", ""))
        elif tag == "outlineLvl":
            self._level = outline_level(attributes.get("val", ""))
        elif tag == "numPr":
            self._listed = True
        else:
            self._table_start(tag, attributes)

    def _table_start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "tbl":
            self._tables.append([])
            self._named.append(False)
        elif tag == "tr" and self._tables:
            self._tables[-1].append([])
        elif tag == "tc" and self._tables and self._tables[-1]:
            self._tables[-1][-1].append("")
        elif self._named and tag in {"tblHeader", "tblLook"} and len(self._tables[-1]) <= 1:
            off = {"0", "false", "off"}
            key = "val" if tag == "tblHeader" else "firstRow"
            self._named[-1] |= attributes.get(key, "1" if tag == "tblHeader" else "0") not in off

    def end(self, tag: str) -> None:
        """Takes the end of an element."""
        if self._unseen:
            self._unseen -= 1
        elif tag == "t":
            self._in_text = False
        elif tag == "p":
            self._paragraph_end()
        elif tag == "tbl" and self._tables:
            rows, named = self._tables.pop(), self._named.pop()
            if self._tables:
                self._in_cell(" ".join(" ".join(row) for row in rows))
            else:
                write_table(self.writer, rows, named)

    def text(self, text: str) -> None:
        """Takes text."""
        if self._in_text and not self._unseen:
            self._characters_left -= len(text)
            if self._characters_left < 0:
                raise UnsupportedDocument(f"The file holds more than {self._limit:,} characters of text.")
            self._paragraph.append(text)

    def _paragraph_end(self) -> None:
        text = "\n".join(" ".join(line.split()) for line in "".join(self._paragraph).split("\n")).strip()
        level, self._paragraph = self._level, []
        if self._tables:
            self._in_cell(text)
        elif level == TITLE_LEVEL:
            self.title = self.title or " ".join(text.split())
            self.writer.heading(1, text)
        elif level is not None:
            self.writer.heading(level, text)
        elif self._listed:
            self.writer.write(f"- {text}" if text else "", "item")
        else:
            self.writer.write(text)

    def _in_cell(self, text: str) -> None:
        if self._tables[-1] and self._tables[-1][-1]:
            row = self._tables[-1][-1]
            row[-1] = f"{row[-1]} {text}".strip()
