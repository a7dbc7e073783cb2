"""The retriever and the model that the settings ask for, made once a process."""

from __future__ import annotations

import functools
import importlib
import os
from typing import TYPE_CHECKING

from pipeline import search_settings
from pipeline.settings import Settings
from pipeline.store import open_store
from pipeline.store.document_index import Index
from pipeline.store.documents import DocumentIndex
from pipeline.store.vectors import Vectors, VectorTable
from tasks.endpoints import endpoints
from tasks.llm.extractive import ExtractiveModel
from tasks.llm.model import Model
from tasks.rag.fts import FtsRetriever
from tasks.rag.retriever import Retriever

if TYPE_CHECKING:
    from tasks.rag.embeddings import Embedder

INDEX_FILE = "documents.db"


@functools.cache
def _index(_pid: int, settings: Settings) -> Index:
    search_settings.check(settings)
    if settings.document_index == "database":
        # Here, since it loads SQLAlchemy's PostgreSQL, which others do without.
        from pipeline.store.postgres_documents import PostgresIndex

        return PostgresIndex(open_store(settings), settings.search_timeout_seconds)
    settings.home_path.mkdir(parents=True, exist_ok=True)
    return DocumentIndex(settings.home_path / INDEX_FILE, settings.search_timeout_seconds)


def document_index(settings: Settings) -> Index:
    """This process's document index: the file in the home folder, or PostgreSQL. Raises SettingError."""
    return _index(os.getpid(), settings)


@functools.cache
def _vectors(_pid: int, settings: Settings) -> Vectors:
    search_settings.check(settings)
    if settings.chroma_host:
        from tasks.rag.chroma import ChromaVectors

        return ChromaVectors(settings)
    from tasks.rag.exact import ExactVectors

    return ExactVectors(VectorTable(open_store(settings), settings.embeddings_model, settings.vectors_limit_chunks))


def vectors(settings: Settings) -> Vectors:
    """Where this process finds embeddings: the database, or ChromaDB. Raises SettingError."""
    return _vectors(os.getpid(), settings)


@functools.cache
def _embedder(_pid: int, settings: Settings) -> Embedder:
    from tasks.rag.embeddings import Embedder

    return Embedder(settings)


def embedder(settings: Settings) -> Embedder:
    """This process's connection to the endpoint of embeddings."""
    return _embedder(os.getpid(), settings)


@functools.cache
def _retriever(_pid: int, settings: Settings) -> Retriever:
    search_settings.check(settings)
    if settings.embeddings_base_url:
        from tasks.rag.hybrid import HybridRetriever

        found = (document_index(settings), vectors(settings), embedder(settings))
        return HybridRetriever(*found, settings.embeddings_similarity_floor)
    if settings.document_index == "file":
        # Opened at the first search, so that a file that cannot be read is a failed search.
        return FtsRetriever(settings.home_path / INDEX_FILE)
    return FtsRetriever(document_index(settings))


def retriever(settings: Settings) -> Retriever:
    """This process's retriever: by words, and by embeddings where an endpoint for them is set."""
    return _retriever(os.getpid(), settings)


def preload(settings: Settings) -> None:
    """Loads the libraries that model and search need, so that processes that are forked from this one share them."""
    if settings.openai_base_url:
        importlib.import_module("tasks.llm.openai")
    if settings.embeddings_base_url:
        importlib.import_module("tasks.rag.hybrid")
        importlib.import_module("tasks.rag.chroma" if settings.chroma_host else "tasks.rag.exact")


@functools.cache
def model(settings: Settings) -> Model:
    """The author of answers: the OpenAI-compatible endpoint if one is set, else quoted sentences."""
    return endpoints(settings) or ExtractiveModel(
        refusal_threshold=settings.refusal_threshold,
        words_per_second=settings.extractive_words_per_second,
    )
