"""The stand-in's embeddings: texts that share words are alike, and so are some that share a meaning."""

from __future__ import annotations

import re
import zlib
from typing import Any

DIMENSIONS = 64
MEANINGS = {"vacation": "leave", "holiday": "leave", "wages": "pay", "salary": "pay", "purr": "cat", "feline": "cat"}
"""Words that count as others."""


def document(body: dict[str, Any]) -> dict[str, Any]:
    """The reply to a request for embeddings; the last text comes first, since only `index` tells the order."""
    given = body.get("input")
    texts = [given] if isinstance(given, str) else list(given or [])
    data = [{"object": "embedding", "index": n, "embedding": vector(text)} for n, text in enumerate(texts)]
    return {"object": "list", "model": body.get("model"), "data": data[::-1]}


def vector(text: str) -> list[float]:
    """A count of the text's words, each at a place of its own by chance, behind a trifle that all texts share."""
    found = [0.01] + [0.0] * (DIMENSIONS - 1)
    for word in re.findall(r"[a-z]{3,}", text.lower()):
        found[1 + zlib.crc32(MEANINGS.get(word, word).encode()) % (DIMENSIONS - 1)] += 1.0
    return found
