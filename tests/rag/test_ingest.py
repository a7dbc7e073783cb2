"""Adding files and folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import SpanfeedError, UnsupportedDocument
from pipeline.store.documents import DocumentIndex
from tasks.rag.ingest import add_path, list_documents, remove
from tests.rag.conftest import PAGES, write_pages


def paths(index: DocumentIndex) -> list[str]:
    """The paths in the collection `docs`."""
    return [listed.path for listed in index.documents("docs")]


def test_a_folder_is_added_with_progress_under_relative_paths(index: DocumentIndex, pages: Path) -> None:
    """A user would see machine paths in citations, and no progress bar."""
    steps: list[tuple[int, int, str]] = []
    report = add_path(index, "docs", pages, lambda *step: steps.append(step))
    assert (report.added, report.replaced, report.unchanged, report.skipped) == (5, 0, 0, [])
    assert paths(index) == sorted(PAGES)
    assert steps == [(number, 5, name) for number, name in enumerate(sorted(PAGES), start=1)]
    titles = {listed.path: listed.title for listed in index.documents()}
    assert titles == {
        "conges.html": "Les congés",
        "guide/leave.md": "Leave",
        "likizo.md": "Likizo",
        "notes.txt": "notes",
        "slow-mode.md": "Slow mode",
    }


def test_adding_again_changes_nothing_and_a_changed_file_is_replaced(filled: DocumentIndex, pages: Path) -> None:
    """A user would wait for the whole folder again, or be quoted an old version."""
    assert add_path(filled, "docs", pages).unchanged == 5
    (pages / "notes.txt").write_text("The harbour office opens at noon.", encoding="utf-8")
    report = add_path(filled, "docs", pages)
    assert (report.added, report.replaced, report.unchanged) == (0, 1, 4)
    assert [hit.text for hit in filled.search("docs", ["harbour"], 5)] == ["The harbour office opens at noon."]


def test_one_file(index: DocumentIndex, pages: Path) -> None:
    """A user could not add a single page."""
    assert add_path(index, "docs", pages / "guide" / "leave.md", base_url="https://example.org/x/").added == 1
    document = index.document("docs", "leave.md")
    assert document is not None
    assert document.url == "https://example.org/x/leave.md"


def test_what_is_skipped_is_said_and_hidden_or_foreign_files_are_left_alone(
    index: DocumentIndex, tmp_path: Path
) -> None:
    """A user would index private files by a link, or wonder where a page is."""
    write_pages(tmp_path, {"secret/keys.txt": "the secret lamp", ".hidden.txt": "lamp", "a/.git/x.md": "lamp"})
    write_pages(tmp_path / "a", {"b.png": "x", "c.txt": "", "d.md": "lamp", "sub/e.md": "lamp"})
    (tmp_path / "a" / "link.txt").symlink_to(tmp_path / "secret" / "keys.txt")
    (tmp_path / "a" / "folder").symlink_to(tmp_path / "secret")
    (tmp_path / "a" / "inside.md").symlink_to(tmp_path / "a" / "d.md")
    (tmp_path / "a" / "broken.md").symlink_to(tmp_path / "a" / "absent.md")
    report = add_path(index, "docs", tmp_path / "a")
    assert paths(index) == ["d.md", "inside.md", "sub/e.md"]
    assert sorted(report.skipped) == [
        ("b.png", "Only txt, md, html, csv, pdf and docx files can be read."),
        ("broken.md", "It is not a file."),
        ("c.txt", "The file is empty."),
        ("folder", "It is a link to a folder."),
        ("link.txt", "It is a link out of the folder."),
    ]


def test_a_mirrored_folder_forgets_what_it_no_longer_holds(filled: DocumentIndex, pages: Path) -> None:
    """A user would be quoted a page that was deleted."""
    (pages / "notes.txt").unlink()
    assert add_path(filled, "docs", pages).removed == 0
    assert add_path(filled, "docs", pages, mirror=True).removed == 1
    assert "notes.txt" not in paths(filled)


def test_listing_and_removing(filled: DocumentIndex) -> None:
    """A user could not see or take back what was added."""
    assert [listed.path for listed in list_documents(filled)] == sorted(PAGES)
    assert list_documents(filled, "absent") == []
    assert remove(filled, "docs", "guide") == (1, 4)
    assert remove(filled, "docs")[0] == 4
    assert list_documents(filled) == []


def test_mistakes_are_one_clear_sentence(index: DocumentIndex, tmp_path: Path) -> None:
    """A user who mistypes a path or a name would get a traceback."""
    with pytest.raises(UnsupportedDocument, match="There is no file or folder"):
        add_path(index, "docs", tmp_path / "absent")
    for name in ("", "../x", "a b", "-a", "x" * 65, "a\n", "été"):
        with pytest.raises(SpanfeedError, match="A collection's name is 1 to 64"):
            add_path(index, name, tmp_path)
