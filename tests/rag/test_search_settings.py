"""Whether the settings of the search fit together, told before anything is started."""

from __future__ import annotations

import pytest

from pipeline import search_settings
from pipeline import settings as settings_table
from pipeline.errors import SettingError
from tasks import resources
from tasks.rag.chroma import ChromaVectors
from tasks.rag.exact import ExactVectors
from tasks.rag.fts import FtsRetriever
from tasks.rag.hybrid import HybridRetriever

EMBEDDINGS = {"SPANFEED_EMBEDDINGS_BASE_URL": "http://localhost:9/v1", "SPANFEED_EMBEDDINGS_MODEL": "any"}
POSTGRESQL = {"DATABASE_URL": "postgresql://localhost/spanfeed", "SPANFEED_DOCUMENT_INDEX": "database"}


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"CHROMA_HOST": "chroma"}, "no endpoint computes embeddings"),
        ({"SPANFEED_DOCUMENT_INDEX": "cloud"}, "must be file or database"),
        ({"SPANFEED_DOCUMENT_INDEX": "database"}, "needs a PostgreSQL database"),
        (EMBEDDINGS | {"SPANFEED_EMBEDDINGS_MODEL": ""}, "must name a model"),
        (EMBEDDINGS | {"SPANFEED_EMBEDDINGS_BASE_URL": "localhost:9"}, "must begin with http"),
        (EMBEDDINGS | {"SPANFEED_EMBEDDINGS_API_KEY": "clé"}, "no key can have"),
        (EMBEDDINGS | {"SPANFEED_EMBEDDINGS_BATCH_CHUNKS": "0"}, "at least 1"),
        (EMBEDDINGS | {"CHROMA_HOST": "ftp://chroma"}, "CHROMA_HOST must be"),
        (EMBEDDINGS | {"CHROMA_HOST": "http://"}, "CHROMA_HOST must be"),
    ],
    ids=str,
)
def test_settings_that_do_not_fit_are_one_sentence(environment: dict[str, str], told: str) -> None:
    """Without this whoever set them would believe that they are used."""
    with pytest.raises(SettingError, match=told):
        search_settings.check(settings_table.load(environment))
    with pytest.raises(SettingError, match=told):
        resources.retriever(settings_table.load(environment))


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("chroma", "http://chroma:8000"),
        ("https://chroma.example/", "https://chroma.example:8000"),
        ("https://chroma.example:443/db", "https://chroma.example:443/db"),
        ("[::1]", "http://[::1]:8000"),
    ],
)
def test_chroma_may_be_a_name_or_an_address(host: str, address: str) -> None:
    """Without this a server behind TLS could not be used."""
    assert search_settings.chroma_address(settings_table.load({"CHROMA_HOST": host})) == address


@pytest.mark.parametrize(
    ("environment", "retriever", "vectors"),
    [
        ({}, FtsRetriever, None),
        (EMBEDDINGS, HybridRetriever, ExactVectors),
        (EMBEDDINGS | {"CHROMA_HOST": "chroma"}, HybridRetriever, ChromaVectors),
        (EMBEDDINGS | POSTGRESQL, HybridRetriever, ExactVectors),
        (POSTGRESQL, FtsRetriever, None),
    ],
    ids=str,
)
def test_the_settings_choose_the_retriever(
    environment: dict[str, str], retriever: type, vectors: type | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Without this an endpoint or a server that is set would silently not be used."""
    settings = settings_table.load(environment | {"SPANFEED_HOME": str(tmp_path_factory.mktemp("home"))})
    assert type(resources.retriever(settings)) is retriever
    if vectors is not None:
        assert type(resources.vectors(settings)) is vectors
