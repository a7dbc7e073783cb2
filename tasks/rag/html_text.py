"""HTML as plain text: what a reader of the page sees, without scripts, styles and navigation."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from pipeline.errors import UnsupportedDocument
from tasks.rag.plaintext import PlainText, Writer
from tasks.rag.tables import COLUMNS_NAMED_FROM, labelled

_UNSEEN_TAGS = "script style noscript template nav footer aside svg canvas iframe object head button select dialog"
_UNSEEN = frozenset(_UNSEEN_TAGS.split())
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCK_TAGS = """
address article blockquote body caption dd details div dl dt fieldset figcaption figure form header hr html li main ol p
pre section summary table tbody tfoot thead tr ul
"""
_BLOCKS = frozenset(_BLOCK_TAGS.split())


# Tags that must be closed; the parser's time grows with the square of how many are open.
_OPENED = re.compile(
    r"<(/?)(article|b|blockquote|code|div|em|font|form|i|ol|section|small|span|strong|table|u|ul)\b", re.IGNORECASE
)
_OPEN_LIMIT = 1_000
# A row with these holds a page's layout rather than values.
_LAYOUT = "h1, h2, h3, h4, h5, h6, table, ul, ol, pre, p + p"
_NEXT_CELL = "\x01"


def parse_html(source: str) -> PlainText:
    """The plain text of an HTML page; of its `main` part when it has one. Raises UnsupportedDocument."""
    _check_depth(source)
    try:
        tree = LexborHTMLParser(source)
    except (SelectolaxError, ValueError) as error:
        raise UnsupportedDocument(f"The page cannot be read: {error}.") from error
    root = tree.css_first("main") or tree.css_first("[role=main]") or tree.body
    page = _Page()
    if root is not None:
        for node, leaving in _walk(root):
            page.leave(node) if leaving else page.enter(node)
        page.flush()
    title = tree.css_first("head > title")
    canonical = tree.css_first("link[rel=canonical]")
    url = (canonical.attributes.get("href") or "") if canonical is not None else ""
    first = tree.css_first("h1")
    name = next((" ".join(n.text().split()) for n in (first, title) if n is not None and n.text().strip()), "")
    return page.writer.finish(name, url if url.startswith(("http://", "https://")) else "")


def _check_depth(source: str) -> None:
    opened: Counter[str] = Counter()
    for tag in _OPENED.finditer(source):
        name = tag[2].lower()
        opened[name] = max(opened[name] - 1, 0) if tag[1] else opened[name] + 1
        if opened[name] > _OPEN_LIMIT:
            raise UnsupportedDocument(f"The page has more than {_OPEN_LIMIT} open <{name}> tags within each other.")


def _walk(root: LexborNode) -> Iterator[tuple[LexborNode, bool]]:
    """Each seen node at its beginning and, with True, at its end; without recursion, for pages nested absurdly."""
    node = root
    while True:
        seen = node.tag not in _UNSEEN and node.attributes.get("hidden", "no") == "no"
        if seen:
            yield node, False
        below = node.child if seen else None
        if below is not None:
            node = below
            continue
        while True:
            if seen:
                yield node, True
            if node.mem_id == root.mem_id:
                return
            beside = node.next
            if beside is not None:
                node = beside
                break
            parent = node.parent
            if parent is None:
                return
            node, seen = parent, True


class _Page:
    """Gathers the text between block elements and writes it as blocks."""

    def __init__(self) -> None:
        self.writer = Writer()
        self._text: list[str] = []
        self._kind = "paragraph"
        self._marker = ""
        self._preformatted = 0
        self._heading = 0
        self._cells = False
        # Within a row of values, which is written as a whole.
        self._row = False
        self._only_names = False
        self._names: list[str] = []

    def enter(self, node: LexborNode) -> None:
        """Takes the beginning of an element, or a text."""
        tag = node.tag or ""
        if node.is_text_node:
            self._text.append(node.text_content or "")
        elif tag == "br":
            self._text.append("\0")
        elif tag == "img":
            self._text.append(node.attributes.get("alt") or "")
        elif tag in _HEADINGS:
            self.flush()
            self._heading = _HEADINGS[tag]
        elif tag in {"td", "th"}:
            if self._cells:
                self._text.append(_NEXT_CELL)
            self._cells = True
            self._only_names &= tag == "th"
        elif self._row and tag in _BLOCKS:
            self._text.append(" ")
        elif tag in _BLOCKS:
            self._block(node, tag)

    def leave(self, node: LexborNode) -> None:
        """Takes the end of an element."""
        tag = node.tag or ""
        if tag in _HEADINGS:
            self.flush()
            self._heading = 0
        elif tag == "tr" and self._row:
            self._row_end()
        elif self._row and tag in _BLOCKS:
            self._text.append(" ")
        elif tag in _BLOCKS:
            self.flush()
            if tag in {"li", "tr"}:
                self._marker, self._kind, self._cells = "", "paragraph", False
            if tag == "pre":
                self._preformatted -= 1

    def flush(self) -> None:
        """Writes what was gathered as one block."""
        text = "".join(self._text).replace(_NEXT_CELL, " | ")
        self._text = []
        if self._preformatted:
            self.writer.write(text.replace("\0", "\n"), "code")
            return
        lines = (" ".join(line.split()) for line in text.split("\0"))
        text = "\n".join(line for line in lines if line)
        if self._heading:
            self.writer.heading(self._heading, text)
        elif text:
            self.writer.write(self._marker + text, self._kind)
            self._marker = ""

    def _row_end(self) -> None:
        """Writes the row, each value with the name of its column, if a first row of `th` cells names enough of them."""
        cells = [" ".join(cell.replace("\0", " ").split()) for cell in "".join(self._text).split(_NEXT_CELL)]
        self._text, self._row, self._cells, self._kind = [], False, False, "paragraph"
        if self._only_names and not self._names and len(cells) >= COLUMNS_NAMED_FROM:
            self._names = cells
            return
        self.writer.write(" | ".join(labelled(self._names, cells)), "row")

    def _block(self, node: LexborNode, tag: str) -> None:
        self.flush()
        if tag == "pre":
            self._preformatted += 1
        if tag == "li":
            self._marker, self._kind = "- ", "item"
        elif tag == "table":
            self._names = []
        elif tag == "tr":
            self._marker, self._kind = "", "row"
            self._row = not self._preformatted and node.css_first(_LAYOUT) is None
            self._only_names = True
