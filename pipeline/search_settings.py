"""Whether the settings of the search fit together."""

from __future__ import annotations

import importlib.util
from urllib.parse import urlsplit

from pipeline.errors import SettingError
from pipeline.settings import Settings

INDEXES = ("file", "database")


def check(settings: Settings) -> None:
    """Returns when the search can be set up like this. Raises SettingError."""
    if settings.document_index not in INDEXES:
        raise SettingError(f"SPANFEED_DOCUMENT_INDEX must be file or database, not {settings.document_index}")
    if settings.document_index == "database" and not settings.sqlalchemy_url.startswith("postgresql"):
        raise SettingError("SPANFEED_DOCUMENT_INDEX=database needs a PostgreSQL database in DATABASE_URL")
    if not settings.embeddings_base_url:
        if settings.chroma_host:
            raise SettingError(
                "CHROMA_HOST is set, but no endpoint computes embeddings: set SPANFEED_EMBEDDINGS_BASE_URL and"
                " SPANFEED_EMBEDDINGS_MODEL, or unset CHROMA_HOST"
            )
        return
    _check_embeddings(settings)


def chroma_address(settings: Settings) -> str:
    """ChromaDB's address; CHROMA_HOST may begin with http:// or https://. Raises SettingError."""
    given = settings.chroma_host if "://" in settings.chroma_host else f"http://{settings.chroma_host}"
    try:
        parts = urlsplit(given)
        host, port = parts.hostname, parts.port or settings.chroma_port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"} or parts.username is not None:
        raise SettingError("CHROMA_HOST must be a host's name, or http:// or https:// and a host's name")
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}{parts.path.rstrip('/')}"


def _check_embeddings(settings: Settings) -> None:
    if not settings.embeddings_model:
        raise SettingError("SPANFEED_EMBEDDINGS_MODEL must name a model when SPANFEED_EMBEDDINGS_BASE_URL is set")
    if urlsplit(settings.embeddings_base_url).scheme not in {"http", "https"}:
        raise SettingError("SPANFEED_EMBEDDINGS_BASE_URL must begin with http:// or https://")
    if not (settings.embeddings_api_key.isascii() and settings.embeddings_api_key.isprintable()):
        raise SettingError("SPANFEED_EMBEDDINGS_API_KEY holds a character that no key can have")
    if settings.embeddings_batch_chunks < 1:
        raise SettingError("SPANFEED_EMBEDDINGS_BATCH_CHUNKS must be at least 1")
    if settings.chroma_host:
        chroma_address(settings)
    elif importlib.util.find_spec("numpy") is None:
        raise SettingError(
            "embeddings in the database need NumPy, which is not installed:"
            " .venv/bin/pip install -r requirements-embeddings.txt"
        )
