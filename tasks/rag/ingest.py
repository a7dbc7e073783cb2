"""Adding files and folders to a collection of the document index."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from pipeline.errors import SpanfeedError, UnsupportedDocument
from pipeline.store.document_index import Index
from pipeline.store.documents import Chunk, Document, Listed
from tasks.rag.chunks import chunk
from tasks.rag.languages import language_of_text
from tasks.rag.limits import OnPage, no_news
from tasks.rag.reading import FileReader
from tasks.rag.told_documents import DocumentTeller

Progress = Callable[[int, int, str], None]

_COLLECTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclasses.dataclass
class Report:
    """What became of the files: counts, and for each skipped one its path and the reason."""

    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    removed: int = 0
    skipped: list[tuple[str, str]] = dataclasses.field(default_factory=list)


def check_collection_name(name: str) -> str:
    """The name, if a collection may have it. Raises SpanfeedError."""
    if not _COLLECTION.fullmatch(name):
        raise SpanfeedError("A collection's name is 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or a digit.")
    return name


def add_path(
    index: Index,
    collection: str,
    path: Path,
    on_progress: Progress | None = None,
    *,
    base_url: str = "",
    mirror: bool = False,
    teller: DocumentTeller | None = None,
    reader: FileReader | None = None,
) -> Report:
    """Indexes the file `path`, or all files of the folder `path`, under their paths relative to it.

    `on_progress` gets how many of how many files are done and the path of the last one. `base_url` is where the
    folder can be read on the web. With `mirror`, documents of the collection that are no longer there are removed.
    `teller` tells of each document that is new or has changed. `reader` takes the text out of the files; without one
    there is one for this call alone.
    Raises UnsupportedDocument when there is nothing at `path`, StoreUnavailable when the index cannot be used.
    """
    check_collection_name(collection)
    if reader is None:
        with FileReader() as own:
            return add_path(
                index,
                collection,
                path,
                on_progress,
                base_url=base_url,
                mirror=mirror,
                teller=teller,
                reader=own,
            )
    report = Report()
    if not path.exists():
        raise UnsupportedDocument(f"There is no file or folder {path}.")
    root = path if path.is_dir() else path.parent
    found = sorted(_files(root, report)) if path.is_dir() else [path.name]
    known = {listed.path for listed in index.documents(collection)}
    for number, name in enumerate(found, start=1):
        try:
            if teller is None:
                outcome = index.add(*_taken_out(reader, collection, name, root / name, base_url))
            else:
                teller.expects(name, new=name not in known, skipped_quietly=mirror)
                outcome = _add_telling(index, reader, collection, name, root / name, base_url, teller)
        except UnsupportedDocument as error:
            report.skipped.append((name, str(error)))
        else:
            setattr(report, outcome, getattr(report, outcome) + 1)
        if on_progress is not None:
            on_progress(number, len(found), name)
    if mirror:
        for listed in index.documents(collection):
            if listed.path not in set(found):
                report.removed += index.remove(collection, listed.path)[0]
    return report


def list_documents(index: Index, collection: str | None = None) -> list[Listed]:
    """The documents of one collection or of all, by collection and path. Raises StoreUnavailable."""
    return index.documents(collection)


def remove(index: Index, collection: str, path: str | None = None) -> tuple[int, int]:
    """Forgets a document, a folder of them or the whole collection: how many documents and chunks.

    Raises StoreUnavailable.
    """
    return index.remove(collection, path)


def _add_telling(
    index: Index,
    reader: FileReader,
    collection: str,
    name: str,
    file: Path,
    base_url: str,
    teller: DocumentTeller,
) -> str:
    def tell_page(page: int, pages: int) -> None:
        teller.page_read(name, page, pages)

    try:
        document, chunks = _taken_out(reader, collection, name, file, base_url, tell_page)
        if index.has(document, chunks):
            return "unchanged"
        teller.half_done(name, len(chunks))
        outcome = index.add(document, chunks)
    except UnsupportedDocument as error:
        teller.skipped(name, str(error))
        raise
    except BaseException as error:
        teller.failed(name, type(error).__name__)
        raise
    teller.completed(name, outcome, len(chunks))
    return outcome


def _taken_out(
    reader: FileReader, collection: str, name: str, file: Path, base_url: str, on_page: OnPage = no_news
) -> tuple[Document, Sequence[Chunk]]:
    plain = reader.read(file, on_page)
    url = plain.url or (f"{base_url.rstrip('/')}/{quote(name)}" if base_url else "")
    language = language_of_text(plain.text)
    return (
        Document(collection, name, plain.title, url, plain.text, language),
        chunk(collection, name, plain, language),
    )


def _files(root: Path, report: Report) -> Iterator[str]:
    """Paths of the files below `root`, with `/`; hidden ones are left out, links that lead outside are skipped."""
    inside = root.resolve()

    def unreadable(error: OSError) -> None:
        report.skipped.append((str(error.filename), f"The folder cannot be read: {error.strerror}."))

    for folder, below, files in os.walk(root, onerror=unreadable, followlinks=False):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in below:
            if (Path(folder) / name).is_symlink():
                report.skipped.append(((Path(folder) / name).relative_to(root).as_posix(), "It is a link to a folder."))
        for name in files:
            file = Path(folder) / name
            if name.startswith("."):
                continue
            if file.is_symlink() and not file.resolve().is_relative_to(inside):
                report.skipped.append((file.relative_to(root).as_posix(), "It is a link out of the folder."))
                continue
            yield file.relative_to(root).as_posix()
