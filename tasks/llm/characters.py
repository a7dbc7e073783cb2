"""Makes the pieces of an answer fit for every place that will hold them."""

from __future__ import annotations


def whole(text: str) -> str:
    """`text` with surrogate pairs joined, lone surrogates replaced and NUL left out.

    PostgreSQL refuses NUL, and no encoder takes a lone surrogate; both can be written in a model's JSON.
    """
    if "\x00" in text:
        text = text.replace("\x00", "")
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class PieceJoiner:
    """Holds back the first half of a character that an endpoint split between two pieces."""

    def __init__(self) -> None:
        self._held = ""

    def join(self, piece: str) -> str:
        """What of `piece`, and of what was held back, can be shown now."""
        text = self._held + piece
        self._held = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._held = text[:-1], text[-1]
        return whole(text)

    def finish(self) -> str:
        """What is still held back; its other half never came."""
        text, self._held = self._held, ""
        return whole(text)
