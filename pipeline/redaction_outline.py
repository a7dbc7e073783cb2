"""The outline of a text, in which every digit and letter is of its kind alone: what cannot be there is told at once."""

from __future__ import annotations

import re
import string

_KINDS = bytes(
    0x30
    if chr(byte) in string.digits
    else 0x41
    if chr(byte) in string.ascii_uppercase
    else 0x61
    if chr(byte) in string.ascii_lowercase
    else byte
    for byte in range(256)
)
BETWEEN_DIGITS = b" .()-/\xc2\xa0\xe2\x80\xaf"
"""What stands between a number's digits: spaces (also those of UTF-8 that do not break), dots, brackets, hyphens."""
_LONG_NUMBER = b"000000"
_FOREIGN = re.compile(r"[^\x00-\x7f]+")


class Outline:
    """Of one text; the searches are for fixed bytes, so that they cost next to nothing."""

    def __init__(self, text: str, encoded: bytes) -> None:
        self._plain = encoded.translate(_KINDS)
        self._joined = self._plain.translate(None, BETWEEN_DIGITS)
        self.has_letters = b"a" in self._plain or b"A" in self._plain
        # Digits of other scripts are digits for the patterns, too.
        self._knows = text.isascii() or not any(map(str.isdecimal, set("".join(_FOREIGN.findall(text)))))
        self.has_number = _LONG_NUMBER in self._joined or not self._knows
        """Whether there are six digits in a row, but for what stands between digits."""

    def may_have(self, plain: tuple[bytes, ...], joined: tuple[bytes, ...]) -> bool:
        """Whether one of the outlines is there: `plain` as it stands, `joined` without what stands between digits.

        `0` is a digit, `A` and `a` are letters. Says yes too often, never no.
        """
        if not self._knows or not (plain or joined):
            return True
        return any(one in self._plain for one in plain) or any(one in self._joined for one in joined)
