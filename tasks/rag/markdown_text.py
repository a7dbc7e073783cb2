"""Markdown as plain text: front matter dropped, wrapped lines joined, headings kept with their level."""

from __future__ import annotations

import re

from tasks.rag.markdown_inline import plain_inline
from tasks.rag.plaintext import PlainText, Writer

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*$\n?", re.DOTALL | re.MULTILINE)
_FRONT_LINE = re.compile(r"^(title|url|canonical_url):[ \t]*(.+)$", re.MULTILINE)
_COMMENT_MARK = re.compile(r"<!--|-->|\{%-?\s{0,5}(?:end)?comment\s{0,5}-?%\}")
_FENCE = re.compile(r"^\s{0,12}(`{3,}|~{3,})")
_ATX = re.compile(r"^ {0,3}(#{1,6})(?=[ \t]|$)")
_SETEXT = re.compile(r"^ {0,3}(=+|-+)[ \t]*$")
_RULE = re.compile(r"^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$")
_ITEM = re.compile(r"^(\s*)([-*+]|\d{1,9}[.)])(?:[ \t]+(?:\[[ xX]\][ \t]+)?|$)")
# A paragraph's wrapped line may begin with any other number, as in "the year\n2024. Then…".
_MAY_INTERRUPT = frozenset({"-", "*", "+", "1.", "1)"})
_QUOTE = re.compile(r"^ {0,3}>[ \t]?")
_REFERENCE = re.compile(r"^ {0,3}\[[^\]^]{1,200}\]:[ \t]*\S")
_TABLE_RULE = frozenset("|:- ")
_ADMONITION = re.compile(r"^\s*(?::::*\s*\{?\w*\}?|\[!\w+\]|!!! ?\w*|\?\?\? ?\w*)\s*$")
_HEADING_ID = re.compile(r"\{#[^}]{1,200}\}[ \t]*$")


def parse_markdown(source: str) -> PlainText:
    """The plain text of a Markdown file. Code keeps its lines; links keep their words; tables become lines."""
    title = url = ""
    front = _FRONT_MATTER.match(source)
    if front:
        values = {name: value.strip().strip("\"'") for name, value in _FRONT_LINE.findall(front.group(1))}
        title = values.get("title", "")
        url = values.get("canonical_url", values.get("url", ""))
        source = source[front.end() :]
    reader = _Reader()
    for line in _without_comments(source).split("\n"):
        reader.line(line.expandtabs(4).rstrip("\r"))
    reader.flush()
    return reader.writer.finish(plain_inline(title), url if url.startswith(("http://", "https://")) else "")


class _Reader:
    """Takes lines, keeps the block that is still open, and writes each block when it ends."""

    def __init__(self) -> None:
        self.writer = Writer()
        self._block: list[str] = []
        self._kind = "paragraph"
        self._marker = ""
        self._fence = ""
        self._in_list = False
        self._after_blank = True

    def line(self, line: str) -> None:
        """Takes the next line."""
        if self._fence:
            self._code_line(line)
            return
        quoted = _QUOTE.match(line)
        while quoted:
            line = line[quoted.end() :]
            quoted = _QUOTE.match(line)
        if not line.strip():
            if self._kind == "code" and self._block:
                self._block.append("")
            elif self._kind == "row":
                self.flush()
                self.writer.part()
            else:
                self.flush()
            self._after_blank = True
            return
        self._text_line(line)
        self._after_blank = False

    def flush(self) -> None:
        """Writes the open block, if there is one."""
        lines, kind, marker = self._block, self._kind, self._marker
        self._block, self._kind, self._marker = [], "paragraph", ""
        if not lines:
            return
        if kind == "code":
            self.writer.write("\n".join(lines).rstrip(), "code")
        else:
            text = plain_inline("".join(_joined(lines)))
            self.writer.write(marker + text if text else "", kind)

    def _code_line(self, line: str) -> None:
        if line.strip().startswith(self._fence) and not line.strip().strip(self._fence[0]):
            self._fence = ""
            self.flush()
        else:
            self._block.append(line)

    def _text_line(self, line: str) -> None:
        fence, item = _FENCE.match(line), _ITEM.match(line)
        if fence:
            self.flush()
            self._fence, self._kind = fence.group(1), "code"
        elif self._kind == "code" and self._block and line.startswith("    "):
            self._block.append(line[4:])
        elif self._heading(line) or _skipped(line):
            pass
        elif item and not (self._kind == "paragraph" and self._block and item[2] not in _MAY_INTERRUPT):
            self._begin("item", line[item.end() :], f"{item[1]}{item[2]} ")
            self._in_list = True
        elif "|" in line and set(line) <= _TABLE_RULE and self._kind == "paragraph" and len(self._block) == 1:
            self._row(self._block.pop())
        elif line.lstrip().startswith("|") or (self._kind == "row" and "|" in line):
            self._row(line)
        elif line.startswith("    ") and self._after_blank and not self._in_list:
            self._begin("code", line[4:])
        elif self._block and self._kind != "code":
            self._block.append(line)
        else:
            self._in_list = self._in_list and line.startswith(" ")
            self._begin("paragraph", line)

    def _begin(self, kind: str, line: str, marker: str = "") -> None:
        self.flush()
        self._kind, self._block, self._marker = kind, [line], marker

    def _heading(self, line: str) -> bool:
        atx, setext = _ATX.match(line), _SETEXT.match(line)
        if atx:
            self.flush()
            level, text = len(atx[1]), line[atx.end() :].strip()
            closing = text.rstrip("#")
            text = closing if not closing or closing.endswith(" ") else text
        elif setext and self._block and self._kind == "paragraph":
            level, text = (1 if setext[1][0] == "=" else 2), " ".join(self._block)
            self._block = []
        else:
            return False
        self._in_list = False
        self.writer.heading(level, plain_inline(_HEADING_ID.sub("", text)))
        return True

    def _row(self, line: str) -> None:
        if set(line) <= _TABLE_RULE:
            return
        cells = [cell.strip() for cell in line.strip().strip("|").replace("\\|", "\0").split("|")]
        self._begin("row", " | ".join(cell.replace("\0", "|") for cell in cells if cell))


def _without_comments(source: str) -> str:
    kept, start, closing = [], 0, ""
    for mark in _COMMENT_MARK.finditer(source):
        word = "-->" if mark[0] in {"<!--", "-->"} else "endcomment"
        if closing and word == closing and (mark[0] == "-->" or "endcomment" in mark[0]):
            start, closing = mark.end(), ""
        elif not closing and mark[0] != "-->" and "endcomment" not in mark[0]:
            kept.append(source[start : mark.start()])
            start, closing = mark.start(), word
    kept.append(source[start:])
    return "".join(kept)


def _skipped(line: str) -> bool:
    return bool(_RULE.match(line) or _REFERENCE.match(line) or _ADMONITION.match(line))


def _joined(lines: list[str]) -> list[str]:
    """Wrapped lines as one; two spaces or a backslash at the end of a line keep its break."""
    out: list[str] = []
    for number, line in enumerate(lines):
        last = number == len(lines) - 1
        hard = not last and line.endswith(("  ", "\\"))
        out.append(line.strip().removesuffix("\\") + ("" if last else "\n" if hard else " "))
    return out
