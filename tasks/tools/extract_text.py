"""extract_text: takes the text out of one document, from its beginning or where it speaks of something."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.errors import RetrievalFailed, StoreUnavailable
from pipeline.store.documents import Document, Listed
from pipeline.tracing import report_progress
from tasks.rag.retriever import Passage
from tasks.resources import document_index, retriever
from tasks.tool import Gave, ToolRun, tool

# What the answer's author is given of one passage.
PIECE_LIMIT_CHARACTERS = 4_000
# Of the passages that speak of what is asked, a document of a large collection may have few near the top.
_LOOKED_AT = 60


@tool(
    "Reads one document: its beginning, or the places where it speaks of something. For questions about a document "
    "as a whole, such as a summary.",
    parameters={
        "collection": {"type": "string", "description": "The document's collection."},
        "document": {"type": "string", "description": "The document's path, file name or title."},
        "about": {"type": "string", "description": "What to look for in it; without it the beginning is read."},
    },
    optional=("about",),
)
def extract_text(run: ToolRun, collection: str, document: str, about: str = "") -> Gave:
    """At most `extract_limit_characters` of the document, in its order. Raises RetrievalFailed."""
    try:
        index = document_index(run.settings)
        path = _path(index.documents(collection), document)
        read = index.document(collection, path) if path else None
    except StoreUnavailable as error:
        raise RetrievalFailed(str(error)) from error
    if read is None:
        return Gave(data={"count": 0})
    report_progress({"collection": collection, "count": 1})
    passages = _about(run, read, about) if about.strip() else ()
    passages = passages or tuple(_beginning(read, run.settings.extract_limit_characters))
    return Gave(passages, 1.0 if passages else 0.0, data={"count": len(passages)})


def _path(listed: Sequence[Listed], name: str) -> str | None:
    """The document that is meant: the path itself, else the file's name, else the title."""
    wanted = name.strip().casefold()
    for key in (
        [(found.path.casefold(), found.path) for found in listed],
        [(found.path.rpartition("/")[2].casefold(), found.path) for found in listed],
        [(found.title.casefold(), found.path) for found in listed],
    ):
        if (path := dict(key).get(wanted)) is not None:
            return path
    return None


def _about(run: ToolRun, document: Document, about: str) -> tuple[Passage, ...]:
    found = retriever(run.settings).search(document.collection, about, _LOOKED_AT)
    room = run.settings.extract_limit_characters
    kept: list[Passage] = []
    for passage in (one for one in found.passages if one.path == document.path):
        room -= len(passage.text)
        if room < 0:
            break
        kept.append(passage)
    return tuple(sorted(kept, key=lambda passage: passage.start))


def _beginning(document: Document, limit: int) -> Iterator[Passage]:
    """Pieces that end between two paragraphs, or where nothing else is possible, after a word."""
    end = min(limit, len(document.text))
    start = reached = 0
    # A last piece that was cut before the limit leaves no crumb behind.
    while reached < end:
        stop = reached = min(start + PIECE_LIMIT_CHARACTERS, end)
        if stop < len(document.text):
            cut = max(document.text.rfind("\n\n", start + 1, stop), 0) or document.text.rfind(" ", start + 1, stop)
            stop = cut if cut > start else stop
        text = document.text[start:stop]
        if text.strip():
            yield Passage(
                f"{document.path}@{start}",
                document.collection,
                document.title,
                "",
                document.path,
                document.url,
                text,
                start,
                stop,
            )
        start = stop
