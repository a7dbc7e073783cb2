"""The parts of a Word file, unpacked within a bound and read without document types."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from xml.parsers import expat  # nosec

from pipeline.errors import UnsupportedDocument

_PIECE_BYTES = 65_536
_MEMBERS_LIMIT = 10_000
_DEPTH_LIMIT = 500

Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]
Text = Callable[[str], None]


class Archive:
    """The zip archive that a Word file is. Every method raises UnsupportedDocument."""

    def __init__(self, data: bytes, unpacked_limit_bytes: int) -> None:
        self._left = self._limit = unpacked_limit_bytes
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            members = self._zip.infolist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
            raise UnsupportedDocument("The Word file is damaged: its archive cannot be read.") from error
        if len(members) > _MEMBERS_LIMIT:
            raise UnsupportedDocument(f"The Word file holds more than {_MEMBERS_LIMIT:,} parts.")
        if any(member.flag_bits & 1 for member in members):
            raise UnsupportedDocument("The file is encrypted; save it without a password.")
        self._names = {member.filename for member in members}

    def has(self, name: str) -> bool:
        """Whether there is a part of this name."""
        return name in self._names

    def read(self, name: str, start: Start, end: End, text: Text) -> None:
        """Tells of the beginnings and ends of the part's elements, with their names without namespaces, and text."""
        parser = expat.ParserCreate(namespace_separator=" ")
        depth = 0

        def begins(tag: str, attributes: dict[str, str]) -> None:
            nonlocal depth
            depth += 1
            if depth > _DEPTH_LIMIT:
                raise UnsupportedDocument(f"The Word file's elements lie more than {_DEPTH_LIMIT} deep in each other.")
            start(_bare(tag), {_bare(key): value for key, value in attributes.items()})

        def ends(tag: str) -> None:
            nonlocal depth
            depth -= 1
            end(_bare(tag))

        # An entity can only be declared in a document type, which no Word file has.
        parser.StartDoctypeDeclHandler = _refuse_document_type
        parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begins, ends, text
        parser.buffer_text = True
        try:
            with self._zip.open(name) as file:
                while piece := file.read(_PIECE_BYTES):
                    self._left -= len(piece)
                    if self._left < 0:
                        raise UnsupportedDocument(
                            f"The Word file unpacks to more than {self._limit // 1_000_000:,} MB of text."
                        )
                    parser.Parse(piece, False)
            parser.Parse(b"", True)
        except (expat.ExpatError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
            raise UnsupportedDocument("The Word file is damaged: its text cannot be read.") from error


def _bare(name: str) -> str:
    return name.rpartition(" ")[2]


def _refuse_document_type(*_: object) -> None:
    raise UnsupportedDocument("The Word file declares a document type, which none has.")
