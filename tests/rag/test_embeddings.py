"""The endpoint of embeddings: what is asked, what is taken from its answer, and when it is left alone."""

from __future__ import annotations

import array
import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import settings as settings_table
from pipeline.errors import EmbeddingsFailed
from pipeline.settings import Settings
from tasks.rag.embeddings import Embedder
from tests.parts.ports import free_port
from tests.parts.waiting import wait_for
from tests.stand_in import StandIn

KEY = "sk-a-key-that-nobody-may-see"


@pytest.fixture(scope="module")
def server() -> Iterator[StandIn]:
    """The file's stand-in."""
    with StandIn() as made:
        yield made


@pytest.fixture
def stand_in(server: StandIn) -> StandIn:
    """The stand-in as at its start."""
    server.script()
    server.forget()
    return server


def settings(base_url: str, **more: str) -> Settings:
    """Settings with an endpoint of embeddings, patient with a busy machine."""
    return settings_table.load(
        {
            "SPANFEED_EMBEDDINGS_BASE_URL": base_url,
            "SPANFEED_EMBEDDINGS_MODEL": "stand-in",
            "SPANFEED_EMBEDDINGS_API_KEY": KEY,
            "SPANFEED_EMBEDDINGS_QUERY_TIMEOUT_MS": "10000",
            **more,
        }
    )


def test_a_batch_is_one_request_and_keeps_its_order(stand_in: StandIn) -> None:
    """Without this a passage would be found by what another one means."""
    embedder = Embedder(settings(f"{stand_in.base_url}/"))
    texts = ["a violet lamp", "annual leave", "a lamp of violet"]
    lamp, leave, same = (array.array("f", one) for one in embedder.of_chunks(texts))
    assert lamp == same != leave
    assert math.hypot(*lamp) == pytest.approx(1.0)
    (request,) = stand_in.requests
    assert request.body == {"model": "stand-in", "input": texts, "encoding_format": "float"}
    assert request.headers["authorization"] == f"Bearer {KEY}"
    embedder.close()


def test_a_question_is_asked_once(stand_in: StandIn) -> None:
    """Without this each collection that is searched would pay for the same question."""
    embedder = Embedder(settings(stand_in.base_url))
    assert embedder.of_question("annual leave") == embedder.of_question("annual leave")
    assert len(stand_in.requests) == 1
    embedder.close()


def _reply(*embeddings: object) -> str:
    return json.dumps({"data": [{"index": n, "embedding": values} for n, values in enumerate(embeddings)]})


@pytest.mark.parametrize(
    "script",
    [
        {"fail_first": 9, "fail_status": 500},
        {"fail_first": 9, "fail_status": 401, "fail_body": KEY},
        {"raw": ["not JSON"]},
        {"raw": ['{"data": "none"}']},
        {"raw": ["[]"]},
        {"raw": [_reply([1, 0])]},
        {"raw": [_reply([1, 0], [1, 0, 0])]},
        {"raw": [_reply([1, 0], [0, 0])]},
        {"raw": [_reply([1, 0], ["1", 0])]},
        {"raw": [_reply([1, 0], [1, 0], [1, 0])]},
        {"raw": ['{"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]}']},
    ],
    ids=str,
)
def test_an_answer_that_cannot_be_used_is_one_error_without_the_key(
    stand_in: StandIn, script: dict[str, object]
) -> None:
    """Without this a broken endpoint would break searches, or mix up passages."""
    stand_in.script(**script)
    embedder = Embedder(settings(stand_in.base_url))
    with pytest.raises(EmbeddingsFailed) as told:
        embedder.of_chunks(["one", "two"])
    assert KEY not in str(told.value)
    embedder.close()


def test_an_endpoint_that_fails_is_left_alone_and_tried_again(stand_in: StandIn) -> None:
    """Without this every question would wait for an endpoint that is away, or never use it again."""
    limits = {"SPANFEED_BREAKER_FAILURES_LIMIT": "2", "SPANFEED_EMBEDDINGS_PAUSE_MS": "300"}
    stand_in.script(fail_first=2)
    embedder = Embedder(settings(stand_in.base_url, **limits))
    for _ in range(2):
        with pytest.raises(EmbeddingsFailed, match="status 500"):
            embedder.of_question("leave")
    with pytest.raises(EmbeddingsFailed, match="too often"):
        embedder.of_question("leave")
    assert len(stand_in.requests) == 2

    def answers() -> bool:
        with contextlib.suppress(EmbeddingsFailed):
            return bool(embedder.of_question("leave"))
        return False

    wait_for(answers, "a trial after the pause", 10)
    assert len(stand_in.requests) == 3
    embedder.close()


@pytest.mark.parametrize("silent", [True, False])
def test_a_question_does_not_wait_for_an_endpoint_that_is_away(stand_in: StandIn, silent: bool, tmp_path: Path) -> None:
    """Without this a user's answer would wait for an endpoint that says nothing."""
    stand_in.script(silent=True)
    address = stand_in.base_url if silent else f"http://127.0.0.1:{free_port()}/v1"
    embedder = Embedder(settings(address, SPANFEED_EMBEDDINGS_QUERY_TIMEOUT_MS="100"))
    with pytest.raises(EmbeddingsFailed, match="cannot be asked"):
        embedder.of_question("leave")
    embedder.close()
