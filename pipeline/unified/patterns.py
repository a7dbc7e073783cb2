"""Patterns of type names: `document.*`, `*.failed`, `*`; any other name stands for itself."""

from __future__ import annotations

import re

_PATTERN = re.compile(r"[A-Za-z0-9._*-]{1,100}")


def is_pattern(text: str) -> bool:
    """Whether `text` is a type's name, or one with `*` for any characters."""
    return bool(_PATTERN.fullmatch(text))


def matches(pattern: str, event_type: str) -> bool:
    """Whether the pattern means this type; upper and lower case differ.

    By hand, since a regular expression of many stars may take for ever.
    """
    first, *others = pattern.split("*")
    if not others:
        return pattern == event_type
    last = others.pop()
    if len(event_type) < len(first) + len(last) or not event_type.startswith(first) or not event_type.endswith(last):
        return False
    at, end = len(first), len(event_type) - len(last)
    for part in others:
        found = event_type.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
