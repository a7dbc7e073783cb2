"""Tables in text files as plain text: each row a line, each value with the name of its column."""

from __future__ import annotations

import csv

from pipeline.errors import UnsupportedDocument
from tasks.rag.plaintext import PlainText, Writer
from tasks.rag.tables import looks_like_names, write_table

_SEPARATORS = ",;\t|"
_LOOKED_AT_LINES = 50
_FIELD_LIMIT_CHARACTERS = 1_000_000


def parse_csv(source: str) -> PlainText:
    """The plain text of a table with commas, semicolons, tabs or bars. Raises UnsupportedDocument when damaged."""
    csv.field_size_limit(_FIELD_LIMIT_CHARACTERS)
    try:
        # Unquoted line ends end a row, those within quotes belong to the value.
        rows = list(csv.reader(source.splitlines(keepends=True), delimiter=_separator(source), strict=True))
    except csv.Error as error:
        raise UnsupportedDocument(f"The table cannot be read: {error}.") from None
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    writer = Writer()
    if rows:
        write_table(writer, rows, looks_like_names(rows[0]), least_columns=2)
    return writer.finish()


def _separator(source: str) -> str:
    """The separator that splits the most lines into the same number of cells."""
    lines = [line for line in source[:100_000].splitlines()[:_LOOKED_AT_LINES] if line.strip()]

    def worth(separator: str) -> tuple[int, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=separator)]
        usual = max(set(widths), key=widths.count, default=1)
        return (widths.count(usual) if usual > 1 else 0, usual)

    return max(_SEPARATORS, key=worth)
