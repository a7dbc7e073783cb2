"""The door for commands that change the document index."""

from __future__ import annotations

from pathlib import Path

from pipeline.settings import Settings
from pipeline.unified import EventRouter, EventSystem
from tasks.rag import ingest
from tasks.rag.ingest import Progress, Report
from tasks.rag.limits import Limits
from tasks.rag.reading import FileReader
from tasks.rag.retriever import Collection
from tasks.rag.told_documents import DocumentTeller
from tasks.resources import document_index, retriever


def add(
    settings: Settings,
    collection: str,
    path: Path,
    on_progress: Progress,
    mirror: bool = False,
    user_id: str | None = None,
) -> Report:
    """Indexes a file or a folder; see `tasks.rag.ingest.add_path`. Where there is a Redis, its events tell of it."""
    index = document_index(settings)
    with FileReader(_limits(settings)) as reader:
        if not settings.redis_url:
            return ingest.add_path(index, collection, path, on_progress, mirror=mirror, reader=reader)
        events = EventSystem(EventRouter(), settings)
        teller = DocumentTeller(events, collection, settings.documents_told_limit, user_id)
        try:
            return ingest.add_path(index, collection, path, on_progress, mirror=mirror, teller=teller, reader=reader)
        finally:
            events.shutdown()
            if settings.embeddings_base_url:
                # Here, since only this command needs the broker.
                from tasks import embedding

                embedding.soon()


def listed(settings: Settings) -> list[Collection]:
    """The collections of the index."""
    return retriever(settings).collections()


def paths(settings: Settings, collection: str) -> list[str]:
    """The documents of a collection."""
    return [document.path for document in document_index(settings).documents(collection)]


def remove(settings: Settings, collection: str, path: str | None) -> tuple[int, int]:
    """Takes a document, or all of the collection, out of the index. Returns how many documents and chunks went."""
    return document_index(settings).remove(collection, path)


def _limits(settings: Settings) -> Limits:
    return Limits(
        file_bytes=settings.document_limit_bytes,
        unpacked_bytes=settings.document_unpacked_limit_bytes,
        pages=settings.document_pages_limit,
        text_characters=settings.document_characters_limit,
        seconds=settings.document_reading_timeout_seconds,
        memory_bytes=settings.document_reading_memory_bytes,
    )
