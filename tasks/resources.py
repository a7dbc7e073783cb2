"""The retriever and the model that the settings ask for, made once a process."""

from __future__ import annotations

import functools
import importlib
import os

from pipeline.errors import SettingError
from pipeline.settings import Settings
from tasks.llm.extractive import ExtractiveModel
from tasks.llm.model import Model
from tasks.rag.fts import FtsRetriever
from tasks.rag.retriever import Retriever

INDEX_FILE = "documents.db"


@functools.cache
def _retriever(_pid: int, settings: Settings) -> Retriever:
    if settings.chroma_host:
        raise SettingError("CHROMA_HOST is set, but ChromaDB is not supported yet: unset it to use the built-in index")
    return FtsRetriever(settings.home_path / INDEX_FILE)


def retriever(settings: Settings) -> Retriever:
    """This process's retriever: the built-in full-text index."""
    return _retriever(os.getpid(), settings)


def preload(settings: Settings) -> None:
    """Loads the library that the model needs, so that processes that are forked from this one share it."""
    if settings.openai_base_url:
        importlib.import_module("tasks.llm.openai")


@functools.cache
def model(settings: Settings) -> Model:
    """The author of answers: the OpenAI-compatible endpoint if one is set, else quoted sentences."""
    if settings.openai_base_url:
        # Here, since it loads an HTTP client, which most processes do without.
        from tasks.llm.openai import OpenAIModel

        return OpenAIModel(
            base_url=settings.openai_base_url,
            api_key=settings.openai_api_key,
            model=settings.openai_model,
            connect_timeout_seconds=settings.llm_connect_timeout_seconds,
            stall_timeout_seconds=settings.llm_stall_timeout_seconds,
        )
    return ExtractiveModel(
        refusal_threshold=settings.refusal_threshold,
        words_per_second=settings.extractive_words_per_second,
    )
