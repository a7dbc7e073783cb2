"""Tables as lines of text that can be understood alone: each value with the name of its column."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks.rag.plaintext import Writer

_NUMBER = re.compile(r"[\s\d.,:/%+\-\u20ac$\u00a3()]*")
# With two columns a row reads well as it is: "Key | Value".
COLUMNS_NAMED_FROM = 3


def looks_like_names(row: Sequence[str]) -> bool:
    """Whether the cells of a first row can be the names of its columns: all there, all different, none a number."""
    cells = [cell.strip() for cell in row]
    return len(cells) > 1 and len(set(cells)) == len(cells) and not any(_NUMBER.fullmatch(cell) for cell in cells)


def write_table(writer: Writer, rows: Sequence[Sequence[str]], named: bool, least_columns: int = 0) -> None:
    """Writes each row as a line; with `named`, the first row's cells stand before the values of their columns.

    Tables of fewer than `least_columns` columns (of three, without it) keep their first row as a line.
    """
    filled = [row for row in ([" ".join(cell.split()) for cell in row] for row in rows) if any(row)]
    writer.part()
    if named and len(filled) > 1 and len(filled[0]) >= (least_columns or COLUMNS_NAMED_FROM):
        names = filled[0]
        for row in filled[1:]:
            writer.write(" | ".join(labelled(names, row)), "row")
    else:
        for row in filled:
            writer.write(" | ".join(cell for cell in row if cell), "row")
    writer.part()


def labelled(names: Sequence[str], row: Sequence[str]) -> list[str]:
    """The row's values that are there, each after the name of its column if there is one."""
    told = []
    for number, cell in enumerate(row):
        name = names[number] if number < len(names) else ""
        if cell:
            told.append(f"{name}: {cell}" if name and name != cell else cell)
    return told
