"""Small PDF and Word files, made by hand."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_TYPES = '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
STYLES = (
    f'<w:styles xmlns:w="{_W}"><w:style w:styleId="Titre1"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:styleId="Titre2"><w:name w:val="heading 2"/></w:style>'
    '<w:style w:styleId="Own"><w:name w:val="Chapter"/><w:basedOn w:val="Titre2"/></w:style>'
    '<w:style w:styleId="T"><w:name w:val="Title"/></w:style></w:styles>'
)

Line = tuple[float, float, str]
"""Size and height in points, and text."""


def pdf(pages: Sequence[Sequence[Line] | bytes], title: str = "", trailer: str = "", compress: bool = False) -> bytes:
    """A PDF file; a page is its lines, or its content as it stands in the file."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects: list[bytes] = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, page in enumerate(pages):
        content = page if isinstance(page, bytes) else _content(page)
        filters = b" /Filter /FlateDecode" if compress else b""
        content = zlib.compress(content, 9) if compress else content
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Resources << /Font << /F 3 0 R >> >> "
            + f"/Contents {5 + 2 * number} 0 R >>".encode()
        )
        objects.append(b"<< /Length %d%s >>\nstream\n%s\nendstream" % (len(content), filters, content))
    objects.append(f"<< /Title ({title}) >>".encode() if title else b"<< >>")
    out, offsets = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, body in enumerate(objects, start=1):
        offsets.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.writelines(b"%010d 00000 n \n" % offset for offset in offsets)
    out.write(b"trailer << /Size %d /Root 1 0 R /Info %d 0 R " % (len(objects) + 1, len(objects)))
    out.write(f"{trailer} >>\nstartxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()


def lines(*texts: str, size: float = 11, top: float = 700) -> list[Line]:
    """Lines of one paragraph, one below the other."""
    return [(size, top - 13 * number, text) for number, text in enumerate(texts)]


def _content(page: Sequence[Line]) -> bytes:
    shown = []
    for size, height, text in page:
        quoted = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        shown.append(f"BT /F {size} Tf 1 0 0 1 70 {height} Tm ({quoted}) Tj ET")
    return "\n".join(shown).encode("cp1252")


def paragraph(text: str, style: str = "", more: str = "") -> str:
    """A paragraph of a Word file; `more` are further properties."""
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f'<w:p><w:pPr>{named}{more}</w:pPr><w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>'


def table(rows: Sequence[Sequence[str]], header: bool = True) -> str:
    """A table of a Word file, its first row marked as a header or not."""
    drawn = []
    for number, row in enumerate(rows):
        mark = "<w:trPr><w:tblHeader/></w:trPr>" if header and number == 0 else ""
        drawn.append(f"<w:tr>{mark}{''.join(f'<w:tc>{paragraph(cell)}</w:tc>' for cell in row)}</w:tr>")
    return f"<w:tbl>{''.join(drawn)}</w:tbl>"


def docx(body: str, parts: Mapping[str, str | bytes] | None = None, prologue: str = "") -> bytes:
    """A Word file with this body; `parts` come beside it or instead of what is usual."""
    document = f'<?xml version="1.0"?>{prologue}<w:document xmlns:w="{_W}"><w:body>{body}</w:body></w:document>'
    usual = {"[Content_Types].xml": _TYPES, "word/document.xml": document, "word/styles.xml": STYLES}
    return archive({**usual, **(parts or {})})


def archive(parts: Mapping[str, str | bytes]) -> bytes:
    """A zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in parts.items():
            made.writestr(name, content)
    return out.getvalue()
