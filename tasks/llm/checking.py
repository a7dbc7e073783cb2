"""Looks at an answer while it streams: takes out numbers that no passage has, and sees that nothing was found."""

from __future__ import annotations

import re

from tasks.llm.citations import CITATION, numbers_in

# What a model is told to say instead of an answer; no document holds it.
NOT_FOUND = "NOT_IN_THE_DOCUMENTS"
# What may become a citation when the next piece comes.
_BEGUN = re.compile(r"[ \t]*[\[【][\d\s,;\u2013-]{0,40}\Z")
# No space stands before these.
_CLOSING = tuple(".,;:!?)]\u2026\n")
_AROUND = " \t\n*_`\"'#>([\u201c\u00ab"


class CitationFilter:
    """Pieces in, pieces out, without citations of passages that do not exist; those in code are left alone.

    `count` is how many passages there are. Only what may be the beginning of a citation is held back.
    """

    def __init__(self, count: int) -> None:
        self.removed = 0
        """Numbers that were taken out."""
        self._count = count
        self._held = ""
        self._ticks = 0
        self._last = "\n"
        self._gap: str | None = None
        """The space around what was taken out last, until it is known what follows."""

    def take(self, piece: str) -> str:
        """What of `piece`, and of what was held back, can be shown now."""
        text = self._held + piece
        begun = _BEGUN.search(text)
        self._held = text[begun.start() :] if begun else ""
        return self._checked(text[: begun.start()] if begun else text)

    def finish(self) -> str:
        """What is still held back; it has become no citation."""
        text, self._held = self._held, ""
        return self._checked(text)

    def _checked(self, text: str) -> str:
        out: list[str] = []
        at = 0
        for citation in CITATION.finditer(text):
            before = text[at : citation.start()]
            ticks = self._ticks + text.count("`", 0, citation.start())
            kept = citation.group() if ticks % 2 else self._kept(citation)
            if kept:
                self._add(out, before + kept)
            else:
                plain = before.rstrip(" \t")
                self._add(out, plain)
                self._gap = (self._gap or "") + before[len(plain) :]
            at = citation.end()
        self._add(out, text[at:])
        self._ticks += text.count("`")
        return "".join(out)

    def _kept(self, citation: re.Match[str]) -> str:
        numbers = numbers_in(citation.group(1))
        valid = [number for number in numbers if 1 <= number <= self._count]
        self.removed += len(numbers) - len(valid)
        return citation.group() if len(valid) == len(numbers) else f"[{', '.join(map(str, valid))}]" if valid else ""

    def _add(self, out: list[str], text: str) -> None:
        if self._gap is not None and text:
            plain = (self._gap + text).lstrip(" \t")
            gap = " " if len(plain) < len(self._gap + text) and not self._last.isspace() else ""
            self._gap = None if plain else gap
            text = plain if plain[:1] in _CLOSING else gap + plain if plain else ""
        if text:
            out.append(text)
            self._last = text[-1]


class RefusalWatch:
    """Holds an answer's first characters back as long as they may be the word for "not in the documents"."""

    def __init__(self) -> None:
        self.refused = False
        self._head = ""
        self._decided = False

    def take(self, piece: str) -> str:
        """What can be shown now; nothing any more once the word was said."""
        if self._decided:
            return "" if self.refused else piece
        self._head += piece
        plain = self._head.lstrip(_AROUND).upper()
        if not NOT_FOUND.startswith(plain[: len(NOT_FOUND)]):
            self._decided = True
            return self._head
        self.refused = self._decided = len(plain) >= len(NOT_FOUND)
        return ""

    def finish(self) -> str:
        """What is still held back: the answer was shorter than the word."""
        return "" if self._decided else self._head
