"""What a model is told of the collections."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import settings as settings_table
from pipeline.errors import SettingError
from pipeline.settings import Settings
from pipeline.store.documents import DocumentIndex
from tasks.descriptions import described
from tasks.endpoints import planner
from tasks.rag.ingest import add_path
from tasks.rag.retriever import Collection
from tasks.resources import INDEX_FILE
from tests.rag.conftest import PAGES, write_pages


def _settings(home: Path, told: str | None = None) -> Settings:
    environment = {"SPANFEED_HOME": str(home)}
    if told is not None:
        (home / "about.toml").write_text(told, encoding="utf-8")
        environment["SPANFEED_COLLECTIONS_PATH"] = str(home / "about.toml")
    return settings_table.load(environment)


def test_told_by_the_operator_or_by_the_titles(tmp_path: Path) -> None:
    """Without this a model would choose among bare names."""
    index = DocumentIndex(tmp_path / INDEX_FILE)
    add_path(index, "hr", write_pages(tmp_path / "pages", PAGES))
    collections = [Collection("docs", 1, 1), Collection("hr", 5, 9)]
    about = described(_settings(tmp_path, 'docs = "How to\\n  run it."'), collections)
    assert about["docs"] == "How to run it."
    assert about["hr"].startswith("documents such as ")
    assert {"Slow mode", "Leave", "Likizo"} <= set(about["hr"].removeprefix("documents such as ").split("; "))
    write_pages(tmp_path / "more", {f"{number}.md": f"# Page {number}\n\nText." for number in range(20)})
    add_path(index, "hr", tmp_path / "more")
    assert described(_settings(tmp_path), [Collection("hr", 25, 29)])["hr"].endswith(" and 13 more")
    index.close()


@pytest.mark.parametrize(("told", "why"), [("docs = 7", "lines of the form"), ("docs", "cannot be understood")])
def test_a_file_that_cannot_be_used(tmp_path: Path, told: str, why: str) -> None:
    """Without this an operator would not see why the descriptions are not heeded."""
    with pytest.raises(SettingError, match=why):
        described(_settings(tmp_path, told), [])
    (tmp_path / "about.toml").unlink()
    with pytest.raises(SettingError, match="cannot be read"):
        described(settings_table.load({"SPANFEED_COLLECTIONS_PATH": str(tmp_path / "none.toml")}), [])


def test_who_chooses() -> None:
    """Without this a model would be paid that nobody asked for, or a misspelt word be taken for rules."""
    endpoint = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "OPENAI_MODEL": "m"}
    assert planner(settings_table.load(endpoint)) is None
    assert planner(settings_table.load({"SPANFEED_PLANNER": "model"})) is None
    assert planner(settings_table.load({**endpoint, "SPANFEED_PLANNER": "model"})) is not None
    with pytest.raises(SettingError, match="must be rules or model"):
        planner(settings_table.load({"SPANFEED_PLANNER": "modle"}))
