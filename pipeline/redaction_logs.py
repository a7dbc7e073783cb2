"""Log records are made harmless where they are made: without secrets, one line each, whichever handler writes them."""

from __future__ import annotations

import io
import logging
import re
import traceback
import urllib.parse
from typing import Any

from pipeline.redaction import Redactor
from pipeline.redaction_patterns import MARK

# What ends a line, moves a terminal's cursor or turns the reading direction round; a tab harms nobody.
_UNSAFE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_NAMES = {"\n": "\\n", "\r": "\\r"}


def install(redactor: Redactor) -> None:
    """Redacts every log record that this process makes from now on: its message, its exception, its stack."""
    logging.setLogRecordFactory(RecordFactory(redactor))


def one_line(text: str) -> str:
    """`text` with every character that is none of a line's written as its escape."""
    return _UNSAFE.sub(lambda match: _NAMES.get(match[0]) or _escape(ord(match[0])), text)


def _escape(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


class RecordFactory:
    """Makes log records that are one line and hold no secrets; of what cannot be redacted only a marker is left.

    The traceback of an exception is a part of that line: whoever can put a line break into an error's text could
    otherwise write lines that look like records.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        """The record for `logging.setLogRecordFactory`'s arguments."""
        record = logging.LogRecord(*args, **kwargs)
        try:
            said = record.getMessage()
        except Exception:  # noqa: BLE001
            # Arguments that do not fit: logging would write them to stderr as they are.
            said = f"{MARK} a message could not be made from its arguments"
        parts = [said, _traceback(record.exc_info) if record.exc_info else "", record.stack_info or ""]
        # Each by itself, so that a marker in place of one does not hide the others.
        record.msg = one_line("\n".join(self._redacted(part) for part in parts if part))
        record.args = ()
        # A formatter would write them once more, on lines of their own.
        record.exc_info = record.exc_text = record.stack_info = None
        return record

    def _redacted(self, text: str) -> str:
        found = self._redactor.text(text)
        plain = urllib.parse.unquote(found) if "%" in found else found
        if plain == found:
            return found
        # An address is logged as it came: what it hides behind `%40` is looked at, too.
        redacted = self._redactor.text(plain)
        return found if redacted == plain else redacted


def _traceback(info: Any) -> str:
    out = io.StringIO()
    try:
        traceback.print_exception(*info, file=out)
    except Exception:  # noqa: BLE001 – an error that cannot be written down is none of the log's
        return MARK
    return out.getvalue().rstrip("\n")
