"""The stand-in for a model's endpoint, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tasks.llm.openai import OpenAIModel
from tests.stand_in import StandIn

KEY = "sk-a-key-that-nobody-may-see"


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    """A fresh stand-in."""
    with StandIn() as server:
        yield server


@pytest.fixture
def model(stand_in: StandIn) -> OpenAIModel:
    """A client that waits long enough for a busy machine."""
    return OpenAIModel(stand_in.base_url, KEY, "stand-in", 10.0, 10.0)


@pytest.fixture
def hasty(stand_in: StandIn) -> OpenAIModel:
    """A client that soon takes silence for a stall: only for endpoints that shall be silent."""
    return OpenAIModel(stand_in.base_url, KEY, "stand-in", 10.0, 0.5)
