"""Embeddings in the database, and the nearest of them by looking at all."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pipeline import settings as settings_table
from pipeline.errors import StoreUnavailable
from pipeline.store import Store, migrate, open_store
from pipeline.store.vectors import Vector, VectorTable
from tasks.rag.embeddings import packed
from tasks.rag.exact import ExactVectors

MODEL = "stand-in"


def vector(chunk_id: str, *values: float, collection: str = "docs", digest: str = "d") -> Vector:
    """An embedding of length 1."""
    return Vector(chunk_id, collection, digest, packed(values))


def test_what_is_kept_is_the_latest_of_the_model(store: Store) -> None:
    """Without this a changed page would be found by what it said before."""
    table = VectorTable(store, MODEL, 10)
    table.put([vector("a", 1, 0), vector("b", 0, 1, digest="old")])
    table.put([vector("b", 1, 1, digest="new")])
    assert table.known("docs", ["a", "b", "c"]) == {"a": "d", "b": "new"}
    assert [(one.chunk_id, one.values) for one in table.since(0, 9)] == [("a", packed([1, 0])), ("b", packed([1, 1]))]
    assert VectorTable(store, "another", 10).known("docs", ["a"]) == {}
    assert VectorTable(store, "another", 10).since(0, 9) == []
    table.put([])
    with pytest.raises(StoreUnavailable, match="keeps 2 embeddings at most"):
        VectorTable(store, MODEL, 2).put([vector("c", 1, 0)])
    assert table.sweep(lambda ids: set(ids) - {"a"}) == 1
    assert table.known("docs", ["a", "b"]) == {"b": "new"}


def test_what_another_process_writes_is_seen_at_the_next_search(store: Store) -> None:
    """Without this a user would have to restart the worker before a new page is found by its meaning."""
    ours, theirs = ExactVectors(VectorTable(store, MODEL, 100)), VectorTable(store, MODEL, 100)
    assert ours.nearest("docs", packed([1, 0]), 5) == []
    theirs.put([vector("a", 1, 0), vector("b", 0, 1), vector("x", 1, 0, collection="other"), vector("y", 1, 0, 0)])
    assert [chunk_id for chunk_id, _ in ours.nearest("docs", packed([1, 0.1]), 5)] == ["a", "b"]
    theirs.put([vector("c", 1, 0.1)])
    assert ours.nearest("docs", packed([1, 0.1]), 1) == [("c", pytest.approx(1.0))]
    theirs.put([vector("a", 0, 1)])
    theirs.sweep(lambda ids: set(ids) - {"c"})
    assert ours.nearest("docs", packed([0, 1]), 5) == [("b", pytest.approx(1.0)), ("a", pytest.approx(1.0))]
    assert [chunk_id for chunk_id, _ in ours.nearest("docs", packed([0, 1, 0]), 5)] == ["y"]


def test_the_nearest_are_those_with_the_largest_cosine(tmp_path: Path) -> None:
    """Without this a user would be shown passages that are merely somewhat alike."""
    store = open_store(settings_table.load({"SPANFEED_HOME": str(tmp_path)}))
    migrate.upgrade(store)
    drawn = random.Random(1)
    made = {f"{n}": [drawn.gauss(0, 1) for _ in range(16)] for n in range(700)}
    vectors = ExactVectors(VectorTable(store, MODEL, 1_000))
    for half in (list(made)[:300], list(made)[300:]):
        vectors.put([vector(name, *made[name]) for name in half])
    asked = [drawn.gauss(0, 1) for _ in range(16)]
    found = vectors.nearest("docs", packed(asked), 7)

    def cosine(values: list[float]) -> float:
        dot = sum(a * b for a, b in zip(values, asked, strict=True))
        return float(dot / sum(a * a for a in values) ** 0.5 / sum(a * a for a in asked) ** 0.5)

    assert [name for name, _ in found] == sorted(made, key=lambda name: -cosine(made[name]))[:7]
    assert [likeness for _, likeness in found] == pytest.approx([cosine(made[name]) for name, _ in found], abs=1e-5)
    store.close()
