"""The answer's author behind any OpenAI-compatible endpoint, streamed."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Generator

import httpx

from pipeline.errors import FenceLost
from pipeline.store.stems import Stemmer
from tasks.llm.endpoint import FIRST, Endpoint, Prices
from tasks.llm.exchange import Patience, exchange
from tasks.llm.gathering import Gathering
from tasks.llm.messages import MEMORY_TOKENS_LIMIT, build_messages
from tasks.llm.model import Answer, Question
from tasks.llm.writing import Writing

RETRIEVER_TYPE = "openai-fts5"


class OpenAIModel:
    """A Model that asks `{base_url}/chat/completions`.

    `base_url` ends where the API's version does (`https://host/v1`); a query in it is kept. An empty `api_key` sends no
    Authorization header. Times are in seconds. Holds no connection and no thread between answers: safe to
    make before a fork, and to use from several threads.
    Raises SettingError when the address is not one of HTTP, no model is named, or the key cannot stand in a header.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        model: str,
        connect_timeout_seconds: float,
        stall_timeout_seconds: float,
        first_token_timeout_seconds: float = math.inf,
        prices: Prices | None = None,
        names: str = FIRST,
        memory_tokens: int = MEMORY_TOKENS_LIMIT,
    ) -> None:
        timeout = httpx.Timeout(connect_timeout_seconds, read=stall_timeout_seconds)
        self.endpoint = Endpoint(base_url, api_key, model, timeout, prices or Prices(), names)
        self.name = model
        self.provider = self.endpoint.provider
        self._memory_tokens = memory_tokens
        self._stemmer = Stemmer()
        self._patient = Patience(stall_timeout_seconds)
        self._hurried = Patience(stall_timeout_seconds, first_token_timeout_seconds)

    def stream(
        self, question: Question, stopped: Callable[[], bool], hurried: bool = False
    ) -> Generator[str, None, Answer]:
        """Yields the answer's text in pieces, then returns the whole Answer.

        While no text comes it yields the empty string at least every 50 ms, so that the caller can send what it has
        gathered by the clock and look after other duties; `stopped()` is looked at as often. Asks once: trying again
        is the stage's affair, and a new attempt starts the answer over. `hurried`: the first token must come within its
        own timeout, since somebody else can be asked.
        Raises FenceLost when stopped; TransientFault when the endpoint cannot be reached, is overloaded, goes silent
        for the stall timeout or breaks off, before the first piece or after it; StageFailed when asking again is
        of no use. Closing the generator closes the connection.
        """
        if stopped():
            raise FenceLost
        body = {"messages": build_messages(question, self._memory_tokens)}
        patience = self._hurried if hurried else self._patient
        writing = Writing(question, self._stemmer)
        with contextlib.closing(exchange(self.endpoint, body, patience, stopped)) as pieces:
            while True:
                try:
                    piece = next(pieces)
                except StopIteration as end:
                    gathering: Gathering = end.value
                    break
                yield writing.take(piece)
        gathering.check()
        yield writing.finish()
        answer = writing.answer(RETRIEVER_TYPE)
        return dataclasses.replace(answer, usage=gathering.usage, provider=self.provider, model=self.name)
