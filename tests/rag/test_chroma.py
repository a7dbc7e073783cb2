"""Embeddings on a ChromaDB server: a real one where its program was named, and what happens when there is none."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline import settings as settings_table
from pipeline.errors import StoreUnavailable
from pipeline.store.vectors import Vector
from tasks.rag.chroma import ChromaVectors
from tasks.rag.embeddings import packed
from tests.parts.chroma_part import ChromaPart
from tests.parts.ports import free_port


@pytest.fixture(scope="module")
def server() -> Iterator[ChromaPart]:
    """The file's server."""
    part = ChromaPart()
    yield part
    part.stop()


def chroma(port: int, **more: str) -> ChromaVectors:
    """Vectors on the server at the port, patient with a busy machine."""
    environment = {"CHROMA_HOST": "127.0.0.1", "CHROMA_PORT": str(port), "SPANFEED_EMBEDDINGS_MODEL": "stand-in"}
    return ChromaVectors(settings_table.load({**environment, "SPANFEED_CHROMA_TIMEOUT_MS": "20000", **more}))


def vector(chunk_id: str, *values: float, collection: str = "docs", digest: str = "d") -> Vector:
    """An embedding of length 1."""
    return Vector(chunk_id, collection, digest, packed(values))


def test_a_real_server_keeps_finds_and_forgets(server: ChromaPart) -> None:
    """Without this whoever has more than 100,000 chunks would have no search by meaning."""
    ours, theirs = chroma(server.port), chroma(server.port)
    assert ours.nearest("docs", packed([1, 0]), 5) == []
    assert ours.known("docs", ["a"]) == {}
    assert ours.sweep(set) == 0
    ours.put([vector("a", 1, 0), vector("b", 0, 1), vector("x", 1, 0, collection="other.docs")])
    theirs.put([vector("a", 1, 1, digest="new")])
    assert ours.known("docs", ["a", "b", "c"]) == {"a": "new", "b": "d"}
    assert ours.nearest("docs", packed([0, 1]), 5) == [
        ("b", pytest.approx(1.0, abs=1e-5)),
        ("a", pytest.approx(0.7071, abs=1e-3)),
    ]
    assert theirs.nearest("docs", packed([1, 0.9]), 1)[0][0] == "a"
    another = chroma(server.port, SPANFEED_EMBEDDINGS_MODEL="of three numbers")
    another.put([vector("a", 1, 0, 0)])
    assert ours.sweep(lambda ids: set(ids) - {"a"}) == 1
    assert theirs.known("docs", ["a", "b"]) == {"b": "d"}
    assert another.known("docs", ["a"]) == {"a": "d"}
    for one in (ours, theirs, another):
        one.close()


def test_a_server_that_is_away_is_told_and_left_alone() -> None:
    """Without this every search would wait for a server that is away, or fail."""
    vectors = chroma(free_port(), SPANFEED_BREAKER_FAILURES_LIMIT="2")
    for told in ("ConnectError", "ConnectError", "too often"):
        with pytest.raises(StoreUnavailable, match=told):
            vectors.nearest("docs", packed([1, 0]), 5)
    vectors.close()


class _Answering(BaseHTTPRequestHandler):
    """Answers whatever it was told to, and notes who asks."""

    replies: tuple[int, bytes] = (200, b"{}")
    asked: list[str | None]

    def do_GET(self) -> None:
        self.asked.append(self.headers.get("Authorization"))
        status, body = self.replies
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, b"<html>", "cannot be asked"),
        (200, json.dumps(["something"]).encode(), "no ChromaDB server"),
        (401, b"{}", "status 401"),
        (500, b"{}", "status 500"),
    ],
)
def test_what_is_no_chromadb_is_told(status: int, body: bytes, told: str) -> None:
    """Without this a mistyped port would show as a fault of Spanfeed's."""
    handler = type("Handler", (_Answering,), {"replies": (status, body), "asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.02,))
        thread.start()
        vectors = chroma(http.server_port, CHROMA_USERNAME="me", CHROMA_PASSWORD="secret")
        with pytest.raises(StoreUnavailable, match=told):
            vectors.nearest("docs", packed([1, 0]), 5)
        vectors.close()
        http.shutdown()
        thread.join(10)
    assert handler.asked == ["Basic " + base64.b64encode(b"me:secret").decode()]
