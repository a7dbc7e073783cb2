"""What each collection is about, for a model that chooses among them: told by the operator, else by its titles."""

from __future__ import annotations

import functools
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.errors import RetrievalFailed, SettingError, StoreUnavailable
from pipeline.settings import Settings
from tasks.rag.retriever import Collection
from tasks.resources import document_index

_FILE_LIMIT_BYTES = 262_144
_DESCRIPTION_LIMIT_CHARACTERS = 500
_TITLES_LIMIT = 12


def described(settings: Settings, collections: Sequence[Collection]) -> dict[str, str]:
    """Each collection's description. Raises RetrievalFailed, and SettingError for a file that cannot be used."""
    told = _told(settings.collections_path) if settings.collections_path else {}
    return {found.name: told.get(found.name) or _titles(os.getpid(), settings, found) for found in collections}


@functools.cache
def _told(path: str) -> Mapping[str, str]:
    try:
        raw = Path(path).expanduser().read_bytes()
        if len(raw) > _FILE_LIMIT_BYTES:
            raise SettingError(f"SPANFEED_COLLECTIONS_PATH: the file is larger than {_FILE_LIMIT_BYTES} bytes")
        told = tomllib.loads(raw.decode())
    except OSError as error:
        raise SettingError(f"SPANFEED_COLLECTIONS_PATH cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise SettingError(f"SPANFEED_COLLECTIONS_PATH cannot be understood: {error}") from None
    if not all(isinstance(text, str) for text in told.values()):
        raise SettingError('SPANFEED_COLLECTIONS_PATH must hold lines of the form collection = "description"')
    return {name: " ".join(text.split())[:_DESCRIPTION_LIMIT_CHARACTERS] for name, text in told.items()}


@functools.lru_cache(maxsize=256)
def _titles(_pid: int, settings: Settings, collection: Collection) -> str:
    """Read anew when the collection's numbers have changed."""
    try:
        documents = document_index(settings).documents(collection.name)
    except StoreUnavailable as error:
        raise RetrievalFailed(str(error)) from error
    titles = list(dict.fromkeys(" ".join(document.title.split()) for document in documents if document.title))
    more = f" and {len(titles) - _TITLES_LIMIT} more" if len(titles) > _TITLES_LIMIT else ""
    return ("documents such as " + "; ".join(titles[:_TITLES_LIMIT]))[:_DESCRIPTION_LIMIT_CHARACTERS] + more
