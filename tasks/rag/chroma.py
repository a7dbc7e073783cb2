"""Embeddings on a ChromaDB server, over its HTTP interface (version 2)."""

from __future__ import annotations

import array
import contextlib
import hashlib
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import orjson

from pipeline.breaker import Breaker
from pipeline.errors import StoreUnavailable
from pipeline.search_settings import chroma_address
from pipeline.settings import Settings
from pipeline.store.vectors import Kept, Vector

_COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"
_PREFIX = "spanfeed-"
_PAGE_CHUNKS = 1_000
_MODEL_CHARACTERS = 12


class ChromaVectors:
    """The embeddings of the settings' model: one of Chroma's collections for each collection of documents.

    Chroma gets ids, embeddings and digests, and no text: it never computes an embedding itself. Safe to use from
    several threads and after a fork. Every method raises StoreUnavailable; at once after many failures in a row.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = chroma_address(settings) + _COLLECTIONS
        self._ending = "-" + hashlib.sha256(settings.embeddings_model.encode()).hexdigest()[:_MODEL_CHARACTERS]
        self._breaker = Breaker(settings.breaker_failures_limit, settings.embeddings_pause_ms / 1000)
        self._ids: dict[str, str] = {}
        self._client: httpx.Client | None = None
        self._pid = 0
        self._lock = threading.Lock()
        """Keeps two threads from making the client twice."""

    def known(self, collection: str, chunk_ids: Sequence[str]) -> dict[str, str]:
        """See `pipeline.store.vectors.Vectors`, as for all of these."""
        key = self._id(collection)
        if key is None:
            return {}
        found = self._ask("POST", f"/{key}/get", {"ids": list(chunk_ids), "include": ["metadatas"]})
        with _understood():
            digests = [(metadata or {}).get("digest", "") for metadata in found["metadatas"]]
            return dict(zip(found["ids"], digests, strict=True))

    def put(self, vectors: Sequence[Vector]) -> None:
        """See Vectors."""
        for collection in dict.fromkeys(vector.collection for vector in vectors):
            some = [vector for vector in vectors if vector.collection == collection]
            body = {
                "ids": [vector.chunk_id for vector in some],
                "embeddings": [_numbers(vector.values) for vector in some],
                "metadatas": [{"digest": vector.digest} for vector in some],
            }
            self._ask("POST", f"/{self._made(collection)}/upsert", body)

    def sweep(self, kept: Kept) -> int:
        """See Vectors; those of this model."""
        swept = 0
        for key in self._own():
            gone: list[str] = []
            for page in self._pages(key):
                gone += set(page) - kept(page)
            for at in range(0, len(gone), _PAGE_CHUNKS):
                self._ask("POST", f"/{key}/delete", {"ids": gone[at : at + _PAGE_CHUNKS]})
            swept += len(gone)
        return swept

    def nearest(self, collection: str, vector: bytes, limit: int) -> list[tuple[str, float]]:
        """See Vectors."""
        key = self._id(collection)
        if key is None:
            return []
        body = {"query_embeddings": [_numbers(vector)], "n_results": limit, "include": ["distances"]}
        found = self._ask("POST", f"/{key}/query", body)
        with _understood():
            return [(i, 1.0 - distance) for i, distance in zip(found["ids"][0], found["distances"][0], strict=True)]

    def close(self) -> None:
        """Ends the connections."""
        if self._client is not None and self._pid == os.getpid():
            self._client.close()
        self._client = None

    def _name(self, collection: str) -> str:
        return f"{_PREFIX}{collection}{self._ending}"

    def _id(self, collection: str) -> str | None:
        """Chroma's id of the collection, None when there is none yet."""
        name = self._name(collection)
        if name not in self._ids:
            found = self._ask("GET", f"/{name}", missing={})
            if not found:
                return None
            with _understood():
                self._ids[name] = found["id"]
        return self._ids[name]

    def _made(self, collection: str) -> str:
        name = self._name(collection)
        if name not in self._ids:
            body = {"name": name, "get_or_create": True, "configuration": {"hnsw": {"space": "cosine"}}}
            found = self._ask("POST", "", body)
            with _understood():
                self._ids[name] = found["id"]
        return self._ids[name]

    def _own(self) -> Iterator[str]:
        at = 0
        while page := self._ask("GET", f"?limit={_PAGE_CHUNKS}&offset={at}"):
            at += len(page)
            yield from (c["id"] for c in page if c["name"].startswith(_PREFIX) and c["name"].endswith(self._ending))

    def _pages(self, key: str) -> Iterator[list[str]]:
        at = 0
        while page := self._ask("POST", f"/{key}/get", {"limit": _PAGE_CHUNKS, "offset": at, "include": []})["ids"]:
            at += len(page)
            yield page

    def _ask(self, method: str, path: str, body: object = None, missing: Any = None) -> Any:
        """What Chroma answers; `missing`, where it is given, when there is no such thing. Raises StoreUnavailable."""
        if not self._breaker.allows():
            raise StoreUnavailable("ChromaDB has failed too often a moment ago.")
        try:
            content = None if body is None else orjson.dumps(body)
            reply = self._opened().request(method, self._url + path, content=content)
            found = orjson.loads(reply.content) if reply.content else None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            self._breaker.failed()
            raise StoreUnavailable(f"ChromaDB cannot be asked: {type(error).__name__}.") from None
        if reply.is_success:
            self._breaker.succeeded()
            return found
        if reply.status_code == httpx.codes.NOT_FOUND:
            self._breaker.succeeded()
            # Somebody may have deleted it: it is asked for again.
            self._ids.clear()
            if missing is not None:
                return missing
        else:
            self._breaker.failed()
        raise StoreUnavailable(f"ChromaDB answered with status {reply.status_code}.")

    def _opened(self) -> httpx.Client:
        with self._lock:
            if self._client is None or self._pid != os.getpid():
                settings = self._settings
                named = (settings.chroma_username, settings.chroma_password)
                self._client = httpx.Client(
                    auth=named if settings.chroma_username else None,
                    timeout=settings.chroma_timeout_ms / 1000,
                    headers={"Content-Type": "application/json", "User-Agent": "spanfeed"},
                    trust_env=False,
                )
                self._pid = os.getpid()
            return self._client


@contextlib.contextmanager
def _understood() -> Iterator[None]:
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError):
        raise StoreUnavailable("What answers at CHROMA_HOST is no ChromaDB server of version 1.") from None


def _numbers(values: bytes) -> list[float]:
    numbers = array.array("f")
    numbers.frombytes(values)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()
