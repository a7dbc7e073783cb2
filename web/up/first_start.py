"""Which sample documents still have to be indexed."""

from __future__ import annotations

import hashlib
from pathlib import Path

_FORMATS = {".txt", ".md", ".html", ".htm"}


class SampleDocuments:
    """The documents in `folder`, and whether the home folder's index has them as they are now."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self._memo = home / "sample_documents"

    def due(self) -> bool:
        """Whether there are documents that were not indexed, or have changed since."""
        digest = self._digest()
        return bool(digest) and digest != self._remembered()

    def remember(self) -> None:
        """Note that the documents as they are now are in the index."""
        self._memo.write_text(self._digest() + "\n", encoding="utf-8")

    def _remembered(self) -> str:
        return self._memo.read_text(encoding="utf-8").strip() if self._memo.exists() else ""

    def _digest(self) -> str:
        files = sorted(p for p in self.folder.rglob("*") if p.suffix.lower() in _FORMATS and p.is_file())
        whole = hashlib.sha256()
        for file in files:
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            whole.update(f"{file.relative_to(self.folder)} {content}\n".encode())
        return whole.hexdigest() if files else ""
