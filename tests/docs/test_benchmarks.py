"""Benchmarks can begin: what they import of Spanfeed is there, and their page names commands that are there."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

from tests.docs import pages

FOLDER = pages.ROOT / "benchmarks"
_OWN = re.compile(r"(?:pipeline|tasks|web|tests)(?:\.|$)")


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.py")), ids=lambda file: file.stem)
def test_what_a_benchmark_imports_is_there(file: Path) -> None:
    """Without this a benchmark could be broken for weeks by a name that was changed, as nothing else runs it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        if node.module.startswith("benchmarks"):
            assert (pages.ROOT / f"{node.module.replace('.', '/')}.py").is_file() or node.module == "benchmarks"
        elif _OWN.match(node.module):
            module = importlib.import_module(node.module)
            missing = [one.name for one in node.names if not hasattr(module, one.name)]
            # What is no name of a package may be a module of it.
            for name in missing:
                importlib.import_module(f"{node.module}.{name}")


def test_the_page_of_benchmarks_names_commands_that_are_there() -> None:
    """Without this a reader would be sent to a command that is gone."""
    named = re.findall(r"-m benchmarks\.(\w+)", (FOLDER / "README.md").read_text(encoding="utf-8"))
    assert len(named) >= 8
    assert all((FOLDER / f"{name}.py").is_file() for name in named)
