"""Markdown as plain text."""

from __future__ import annotations

import time

import pytest

from tasks.rag.markdown_inline import plain_inline
from tasks.rag.markdown_text import parse_markdown

PAGE = """---
title: "Slow mode: a guide"
tags: [a, b]
url: https://example.org/slow
---
<!-- a note
for editors -->
Wrapped **bold
text** with a [link](https://example.org/a_(b) "title").

# Slow *mode* {#slow}

* one item
  that goes on
* [x] another
  1. nested

Setting | Meaning
--- | ---
`a` | none

| Key | Value |
|:----|------:|
| **x** | 1 \\| 2 |

```sh
make  run   # not a heading
```

> [!NOTE]
> Quoted
> words.

Second title
------------

    indented  code

{% comment %} hidden {% endcomment %}
Ask in {% channel "help-desk" %} or see [this]({% page "/x/" %}).
***
[ref]: https://example.org
"""


def test_a_page_with_everything() -> None:
    """A user would be quoted asterisks, link targets and editors' notes."""
    plain = parse_markdown(PAGE)
    assert plain.text == (
        "Wrapped bold text with a link.\n\nSlow mode\n\n* one item that goes on\n* another\n  1. nested\n\n"
        "Setting | Meaning\na | none\n\nKey | Value\nx | 1 | 2\n\nmake  run   # not a heading\n\nQuoted words.\n\n"
        "Second title\n\nindented  code\n\nAsk in help-desk or see this."
    )
    assert (plain.title, plain.url) == ("Slow mode: a guide", "https://example.org/slow")
    assert [(h.level, h.text) for h in plain.headings] == [(1, "Slow mode"), (2, "Second title")]
    assert [plain.text[h.start : h.end] for h in plain.headings] == ["Slow mode", "Second title"]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("`code *kept* <b>`", "code *kept* <b>"),
        ("a \\*star\\* and snake_case_name", "a *star* and snake_case_name"),
        ("2 * 3 * 4 and *.py and *.txt", "2 * 3 * 4 and *.py and *.txt"),
        ("***all*** __bold__ _it_ ~~no~~", "all bold it no"),
        ("**bold *and it* too**", "bold and it too"),
        ("![alt text](x.png) [see [PDF]](y) [name][ref] note[^1]", "alt text see [PDF] name note"),
        ("<https://example.org> <me@example.org> <b>x</b> <project>", "https://example.org me@example.org x <project>"),
        ("a &amp; b &lt;c&gt;<br>next", "a & b <c>\nnext"),
        ("`a` **`b`** [`c`](d)", "a b c"),
        ("unpaired **star and [bracket", "unpaired **star and [bracket"),
    ],
)
def test_inline_syntax(source: str, text: str) -> None:
    """A user would be quoted markup, or lose characters that are none."""
    assert plain_inline(source) == text


def test_the_title_without_front_matter() -> None:
    """A user would see a file's name where the page has a title."""
    assert parse_markdown("Title\n=====\n\ntext").title == "Title"
    assert parse_markdown("intro\n\n## Section\n\n# Main\n\ntext").title == ""
    assert parse_markdown("--- \nnot closed\n\n# Title\n\ntext").title == "Title"


@pytest.mark.parametrize(
    "piece", ["[a](", "<!--", "**a ", "![", "`a", "<b ", "{% a ", "_a ", "# ", "| ", "[[", "\\", "- - ", "&lt", "~~~\n"]
)
def test_hostile_files_cost_time_in_proportion_to_their_size(piece: str) -> None:
    """An operator would see indexing hang on one broken file."""
    began = time.process_time()
    parse_markdown(piece * (400_000 // len(piece)))
    assert time.process_time() - began < 20
