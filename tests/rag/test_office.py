"""PDF files, Word files and tables as plain text with headings."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.store.documents import DocumentIndex
from tasks.rag.formats import parse
from tasks.rag.ingest import add_path
from tasks.rag.reading import FileReader
from tests.rag.conftest import Ask
from tests.rag.files import docx, lines, paragraph, pdf, table

HANDBOOK = [
    [
        (18.0, 760.0, "Annual leave"),
        *lines("Annual leave accrues at four hours per pay pe-", "riod, and it can be carried over up to 240 hours,"),
        (9.0, 40.0, "Acme handbook 1"),
    ],
    [*lines("but not more than that.", top=740), (14.0, 700.0, "Sick leave"), (9.0, 40.0, "Acme handbook 2")],
    [*lines("It needs:", "\u2022 a note", "\u2022 a form", top=740), (9.0, 40.0, "Acme handbook 3")],
]
STAFF = [["Name", "Room", "Phone"], ["Anna", "B12", "4711"], ["Ben", "", "4712"]]


def test_a_pdf_file_keeps_headings_whole_words_and_sentences() -> None:
    """Without this a word or a sentence that the page breaks would never be found or quoted whole."""
    plain = parse("a.pdf", pdf(HANDBOOK, title="Handbook 2025"))
    assert plain.text == (
        "Annual leave\n\nAnnual leave accrues at four hours per pay period, and it can be carried over up to 240 hours,"
        "\nbut not more than that.\n\nSick leave\n\nIt needs:\n- a note\n- a form"
    )
    assert plain.title == "Handbook 2025"
    assert [(h.level, h.text) for h in plain.headings] == [(1, "Annual leave"), (2, "Sick leave")]
    assert all(plain.text[h.start : h.end] == h.text for h in plain.headings)


@pytest.mark.parametrize("title", ["", "Microsoft Word - Draft 3", "draft.docx"])
def test_a_pdf_file_without_headings_is_cut_by_pages(title: str) -> None:
    """Without this a user could not tell on which page of a long file a quoted sentence stands."""
    plain = parse("staff-rules.pdf", pdf([lines("One here."), lines("Two there.")], title=title))
    assert (plain.title, plain.text) == ("staff rules", "Page 1\n\nOne here.\n\nPage 2\n\nTwo there.")


def test_a_word_file_keeps_headings_lists_and_tables() -> None:
    """Without this a user of Word in another language would lose all headings, and a table's numbers their meaning."""
    body = [
        paragraph("Staff guide", "T"),
        paragraph("Who is where", "Titre1"),
        table(STAFF),
        paragraph("Closing", "Own"),
        paragraph("Lock the door.", more="<w:numPr/>"),
        paragraph("Put out the light.", more="<w:numPr/>"),
        "<w:p><w:del><w:r><w:t>Never</w:t></w:r></w:del><w:ins><w:r><w:t>Always</w:t></w:r></w:ins></w:p>",
    ]
    plain = parse("a.docx", docx("".join(body)))
    assert plain.title == "Staff guide"
    assert [(h.level, h.text) for h in plain.headings] == [(1, "Staff guide"), (1, "Who is where"), (2, "Closing")]
    assert plain.text == (
        "Staff guide\n\nWho is where\n\nName: Anna | Room: B12 | Phone: 4711\nName: Ben | Phone: 4712\n\nClosing\n\n"
        "- Lock the door.\n- Put out the light.\n\nAlways"
    )


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("a.csv", "Name,Room\nAnna,B12\nBen,C3\n", "Name: Anna | Room: B12\nName: Ben | Room: C3"),
        ("a.csv", 'Nom;Salle\n"Anna; dite ""A""";B12\n', 'Nom: Anna; dite "A" | Salle: B12'),
        ("a.tsv", "Name\tRoom\nAnna\tB12\textra\n\n", "Name: Anna | Room: B12 | extra"),
        ("a.csv", "1,2\n3,4\n", "1 | 2\n3 | 4"),
        ("a.csv", "just one column\nand a line\n", "just one column\nand a line"),
        (
            "a.html",
            (
                "<table><tr><th>Name</th><th>Room</th><th>Phone</th></tr>"
                "<tr><th>Anna</th><td><p>B12</p></td><td>4711</td></tr></table>"
            ),
            "Name: Anna | Room: B12 | Phone: 4711",
        ),
        (
            "a.html",
            "<table><tr><td><h2>Left</h2><p>One.</p><p>Two.</p></td></tr></table>",
            "Left\n\nOne.\nTwo.",
        ),
    ],
)
def test_a_table_s_rows_can_be_understood_alone(name: str, source: str, expected: str) -> None:
    """Without this a quoted row would be numbers that nobody can tell apart."""
    assert parse(name, source.encode()).text == expected


def test_what_is_asked_of_pdf_word_and_csv_files_is_answered(
    index: DocumentIndex, ask: Ask, reader: FileReader, tmp_path: Path
) -> None:
    """Without this a user whose documents are no text files would be answered nothing at all."""
    (tmp_path / "handbook.pdf").write_bytes(pdf(HANDBOOK))
    (tmp_path / "guide.docx").write_bytes(docx(paragraph("The harbour office is closed on public holidays.")))
    (tmp_path / "staff.csv").write_text("\n".join(",".join(row) for row in STAFF), encoding="utf-8")
    assert add_path(index, "docs", tmp_path, reader=reader).added == 3
    assert "carried over up to 240 hours" in ask("How much annual leave can be carried over?").text
    assert "closed on public holidays" in ask("When is the harbour office closed?").text
    assert "Name: Anna | Room: B12" in ask("In which room is Anna?").text
