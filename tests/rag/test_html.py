"""HTML as plain text."""

from __future__ import annotations

import pytest

from pipeline.errors import UnsupportedDocument
from tasks.rag.html_text import parse_html


def test_what_a_reader_sees_and_nothing_else() -> None:
    """A user would be quoted menus, scripts and hidden text."""
    plain = parse_html(
        "<html><head><title>Leave - Site</title><link rel=canonical href='https://example.org/leave'>"
        "<style>p{}</style></head><body><nav>Menu</nav><main><h1>Leave &amp; rest</h1>"
        "<p>One  two\n three<br>four</p><ul><li><p>item <b>bold</b></p></li><li>second</li></ul>"
        "<div hidden>secret</div><noscript>off</noscript><pre>make  run\n  x</pre>"
        "<table><tr><th>Key</th><th>Value</th></tr><tr><td>a</td><td>1</td></tr></table>"
        "<h2>Next</h2>tail<img alt='a chart'></main><footer>Imprint</footer></body></html>"
    )
    assert plain.text == (
        "Leave & rest\n\nOne two three\nfour\n\n- item bold\n- second\n\nmake  run\n  x\n\nKey | Value\na | 1\n\n"
        "Next\n\ntaila chart"
    )
    assert (plain.title, plain.url) == ("Leave & rest", "https://example.org/leave")
    assert [(h.level, plain.text[h.start : h.end]) for h in plain.headings] == [(1, "Leave & rest"), (2, "Next")]


def test_a_page_without_main_or_headings() -> None:
    """A user's plainest page would not be found."""
    plain = parse_html("<title> The  title </title><p>Text.<p>More.")
    assert (plain.title, plain.text) == ("The title", "Text.\n\nMore.")


def test_deep_pages_are_read_and_absurdly_deep_ones_refused() -> None:
    """An operator would see indexing die, or hang, of one generated page."""
    assert "deep" in parse_html("<div>" * 900 + "deep" + "</div>" * 900).text
    assert parse_html("<div><span>x</span></div>" * 5_000).text.count("x") == 5_000
    with pytest.raises(UnsupportedDocument, match="more than 1000 open <div> tags"):
        parse_html("<div>" * 100_000)


def test_broken_markup_is_read_as_browsers_do() -> None:
    """A user's hand-written page would be refused."""
    assert (
        parse_html("<p>one <b>two<p>three</i> <!-- x -- > y --> z &bogus; &#x41;").text
        == "one two\n\nthree z &bogus; A"
    )
