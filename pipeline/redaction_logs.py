"""Log records are redacted where they are made, whichever handler writes them and whoever has set that up."""

from __future__ import annotations

import io
import logging
import traceback
from typing import Any

from pipeline.redaction import Redactor
from pipeline.redaction_patterns import MARK


def install(redactor: Redactor) -> None:
    """Redacts every log record that this process makes from now on: its message, its exception, its stack."""
    logging.setLogRecordFactory(RecordFactory(redactor))


class RecordFactory:
    """Makes log records whose text holds no secrets; of what cannot be redacted only a marker is left."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        """The record for `logging.setLogRecordFactory`'s arguments."""
        record = logging.LogRecord(*args, **kwargs)
        if not self._redactor.enabled:
            return record
        try:
            record.msg = self._redactor.text(record.getMessage())
        except Exception:  # noqa: BLE001
            # Arguments that do not fit: logging would write them to stderr as they are.
            record.msg = f"{MARK} a message could not be made from its arguments"
        record.args = ()
        if record.exc_info:
            # A formatter takes this text, where it is there, instead of writing one of its own.
            record.exc_text = self._redactor.text(_traceback(record.exc_info))
        if record.stack_info:
            record.stack_info = self._redactor.text(record.stack_info)
        return record


def _traceback(info: Any) -> str:
    out = io.StringIO()
    try:
        traceback.print_exception(*info, file=out)
    except Exception:  # noqa: BLE001 – an error that cannot be written down is none of the log's
        return MARK
    return out.getvalue().rstrip("\n")
