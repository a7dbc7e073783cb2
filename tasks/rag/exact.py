"""The nearest embeddings by looking at all of them, in memory, kept up with the database."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.store.vectors import Kept, Numbered, Vector, VectorTable

_PAGE_CHUNKS = 2_000
_FIRST_ROWS = 256


class _Rows:
    """Embeddings of one collection and length, in the order of their numbers."""

    def __init__(self, dimensions: int) -> None:
        self.matrix: NDArray[np.float32] = np.empty((0, dimensions), np.float32)
        self.chunk_ids: list[str] = []
        self._numbers: list[int] = []

    def add(self, rows: Sequence[Numbered]) -> None:
        used, wanted = len(self.chunk_ids), len(self.chunk_ids) + len(rows)
        if wanted > len(self.matrix):
            grown = np.empty((max(_FIRST_ROWS, wanted, len(self.matrix) * 3 // 2), self.matrix.shape[1]), np.float32)
            grown[:used] = self.matrix[:used]
            # A search that has begun goes on in the old one.
            self.matrix = grown
        joined = b"".join(row.values for row in rows)
        self.matrix[used:wanted] = np.frombuffer(joined, "<f4").reshape(len(rows), -1)
        self.chunk_ids.extend(row.chunk_id for row in rows)
        self._numbers.extend(row.number for row in rows)

    def keep(self, numbers: set[int]) -> None:
        places = [place for place, number in enumerate(self._numbers) if number in numbers]
        if len(places) < len(self._numbers):
            self.matrix = self.matrix[places]
            self.chunk_ids = [self.chunk_ids[place] for place in places]
            self._numbers = [self._numbers[place] for place in places]


class ExactVectors:
    """Vectors in the database's table, searched in memory. Safe to use from several threads.

    A process reads all of them at its first search (4 bytes for each number of each embedding), and later what has
    changed since.
    """

    def __init__(self, table: VectorTable) -> None:
        self._table = table
        self._rows: dict[tuple[str, int], _Rows] = {}
        self._state = (0, 0)
        self._lock = threading.Lock()
        """Held while the rows change."""

    def known(self, collection: str, chunk_ids: Sequence[str]) -> dict[str, str]:
        """See `pipeline.store.vectors.Vectors`, as for all of these."""
        return self._table.known(collection, chunk_ids)

    def put(self, vectors: Sequence[Vector]) -> None:
        """See Vectors."""
        self._table.put(vectors)

    def sweep(self, kept: Kept) -> int:
        """See Vectors."""
        return self._table.sweep(kept)

    def nearest(self, collection: str, vector: bytes, limit: int) -> list[tuple[str, float]]:
        """See Vectors."""
        with self._lock:
            self._keep_up()
            rows = self._rows.get((collection, len(vector)))
            if rows is None or not rows.chunk_ids:
                return []
            matrix, chunk_ids = rows.matrix[: len(rows.chunk_ids)], rows.chunk_ids
        likeness = matrix @ np.frombuffer(vector, "<f4")
        best: Iterable[int] = range(len(likeness))
        if limit < len(likeness):
            best = np.argpartition(likeness, -limit)[-limit:].tolist()
        found = [(chunk_ids[place], float(likeness[place])) for place in best]
        return sorted(found, key=lambda one: -one[1])

    def _keep_up(self) -> None:
        state = self._table.state()
        if state == self._state:
            return
        largest, removed = self._state
        while page := self._table.since(largest, _PAGE_CHUNKS):
            self._take(page)
            largest = page[-1].number
        if state[1] != removed:
            numbers = self._table.numbers()
            for rows in self._rows.values():
                rows.keep(numbers)
        self._state = (max(largest, state[0]), state[1])

    def _take(self, page: Sequence[Numbered]) -> None:
        parts: dict[tuple[str, int], list[Numbered]] = {}
        for row in page:
            parts.setdefault((row.collection, len(row.values)), []).append(row)
        for key, rows in parts.items():
            self._rows.setdefault(key, _Rows(key[1] // 4)).add(rows)
