"""What a file's first bytes say that it is, whatever its name says."""

from __future__ import annotations

from pipeline.errors import UnsupportedDocument

_PDF_WITHIN_BYTES = 1_024
_SIGNATURES = (
    (b"PK\x03\x04", "a zip archive or an Office file"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old or encrypted Office file"),
    (b"{\\rtf", "an RTF file"),
    (b"MZ", "a program"),
    (b"\x7fELF", "a program"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x1f\x8b", "a compressed file"),
)
# Text may begin like these.
_ALSO_TEXT = frozenset({b"MZ", b"GIF8"})


def check_signature(suffix: str, data: bytes) -> None:
    """Raises UnsupportedDocument when the file begins as no file of its ending does."""
    what = _recognised(data, binary=suffix in {".pdf", ".docx"})
    if suffix == ".pdf":
        if what != "a PDF file":
            raise UnsupportedDocument(f"The file is no PDF file{_but(what)}.")
    elif suffix == ".docx":
        if data.startswith(b"\xd0\xcf\x11\xe0"):
            raise UnsupportedDocument(
                "The file is encrypted, or an old Word file: save it as .docx without a password."
            )
        if not data.startswith(b"PK\x03\x04"):
            raise UnsupportedDocument(f"The file is no Word file{_but(what)}.")
    elif what:
        raise UnsupportedDocument(f"The file is {what}, though its name ends in {suffix}.")


def _recognised(data: bytes, binary: bool) -> str:
    if b"%PDF-" in data[: _PDF_WITHIN_BYTES if binary else 5]:
        return "a PDF file"
    for start, what in _SIGNATURES:
        if data.startswith(start) and (binary or start not in _ALSO_TEXT or b"\0" in data):
            return what
    return ""


def _but(what: str) -> str:
    return f" but {what}" if what else ", though its name says so"
