"""Links lead somewhere, and code that is shown can be used."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from tests.docs import pages


def _name(file: Path) -> str:
    return str(file.relative_to(pages.ROOT))


@pytest.mark.parametrize("file", pages.files(), ids=_name)
def test_relative_links_lead_somewhere(file: Path) -> None:
    """A reader would click into nothing."""
    for link in pages.links(file.read_text(encoding="utf-8")):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        assert target.is_file(), link
        assert not anchor or anchor in pages.anchors(target.read_text(encoding="utf-8")), link


def test_every_page_can_be_reached_from_the_index() -> None:
    """A reader would never find a page that nothing links to."""
    reached: set[Path] = set()
    left = [pages.DOCS / "index.md"]
    while left:
        file = left.pop()
        if file in reached or file.suffix != ".md":
            continue
        reached.add(file)
        for link in pages.links(file.read_text(encoding="utf-8")):
            path = link.partition("#")[0]
            if path and "://" not in path:
                left.append((file.parent / path).resolve())
    assert set(pages.DOCS.rglob("*.md")) <= reached


@pytest.mark.parametrize("file", pages.files(), ids=_name)
def test_runnable_code_can_run(file: Path) -> None:
    """A developer would copy code that does not even compile, or that imports what is not there."""
    for kind, text in pages.code(file.read_text(encoding="utf-8")):
        if kind != "python runnable":
            continue
        for node in ast.walk(ast.parse(text, _name(file))):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)
        compile(text, _name(file), "exec")


def test_there_is_runnable_code() -> None:
    """The test above would prove nothing if the mark of runnable code had changed."""
    kinds = [kind for file in pages.files() for kind, _ in pages.code(file.read_text(encoding="utf-8"))]
    assert kinds.count("python runnable") >= 3
