"""Addresses of a span in other programs, from the templates of the settings. No Flask."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from pipeline.errors import SettingError
from pipeline.settings import Settings

_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_NAMES = {
    "SPANFEED_TRACE_URL_TEMPLATE": ("trace_id", "span_id"),
    "SPANFEED_FLOWER_URL_TEMPLATE": ("task_id",),
}


class Links:
    """Makes addresses. Raises SettingError for a template that is no address, or asks for what there is not."""

    def __init__(self, settings: Settings) -> None:
        self._trace = _checked("SPANFEED_TRACE_URL_TEMPLATE", settings.trace_url_template)
        self._flower = _checked("SPANFEED_FLOWER_URL_TEMPLATE", settings.flower_url_template)

    def trace(self, trace_id: str | None, span_id: str | None = None) -> str | None:
        """The trace in the trace viewer; without a span where the template wants none."""
        return _filled(self._trace, {"trace_id": trace_id, "span_id": span_id or ""})

    def flower(self, task_id: str | None) -> str | None:
        """The task in Flower."""
        return _filled(self._flower, {"task_id": task_id})


def _checked(variable: str, template: str) -> str:
    if not template:
        return ""
    if urlsplit(template).scheme not in {"http", "https"} or not urlsplit(template).netloc:
        raise SettingError(f"{variable} must begin with http:// or https:// and name a server")
    names, known = _PLACEHOLDER.findall(template), _NAMES[variable]
    if known[0] not in names or not set(names) <= set(known):
        raise SettingError(f"{variable} must hold {{{known[0]}}}, and no other than {', '.join(known)}")
    return template


def _filled(template: str, values: Mapping[str, Any]) -> str | None:
    if not template or any(value is None for value in values.values()):
        return None
    return _PLACEHOLDER.sub(lambda match: quote(str(values[match[1]]), safe=""), template)
