"""The names of the catalogue's types, as the second seed's programs write them: `EventType.DOCUMENT_UPLOADED`."""

from __future__ import annotations

import enum

from pipeline import catalog_unified

_NAMES = {name.replace(".", "_").upper(): name for name in catalog_unified.TYPES}
EventType = enum.StrEnum("EventType", _NAMES)  # type: ignore[misc]
"""Every type of unified events: `EventType.DOCUMENT_UPLOADED` is `"document.uploaded"`."""
