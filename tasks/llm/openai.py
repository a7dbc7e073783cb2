"""The answer's author behind any OpenAI-compatible endpoint, streamed."""

from __future__ import annotations

import functools
import ipaddress
import ssl
import time
from collections.abc import Callable, Generator

import httpx

from pipeline.errors import FenceLost, SettingError
from tasks.llm import faults
from tasks.llm.citations import cited_sources
from tasks.llm.gathering import Gathering
from tasks.llm.messages import build_messages, usable_passages
from tasks.llm.model import Answer, Question
from tasks.llm.reader import Call, Ended, Reader

RETRIEVER_TYPE = "openai-fts5"
TICK_SECONDS = 0.05
# After its last token a healthy endpoint has only the count of tokens and `[DONE]` left to say.
FAREWELL_SECONDS = 2.0

# The names that OpenTelemetry gives to providers; whoever else speaks OpenAI's protocol counts as "openai".
_PROVIDERS = {
    "openai.azure.com": "azure.ai.openai",
    "amazonaws.com": "aws.bedrock",
    "anthropic.com": "anthropic",
    "cohere.com": "cohere",
    "deepseek.com": "deepseek",
    "googleapis.com": "gcp.gemini",
    "groq.com": "groq",
    "mistral.ai": "mistral_ai",
    "perplexity.ai": "perplexity",
    "x.ai": "x_ai",
}


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
    ) -> None:
        self._url = _completions_url(base_url)
        if not model:
            raise SettingError("OPENAI_MODEL must name a model when OPENAI_BASE_URL is set")
        if not (api_key.isascii() and api_key.isprintable()):
            raise SettingError("OPENAI_API_KEY holds a character that no key can have")
        self.name = model
        self.provider = _provider(self._url.host)
        self._api_key = api_key
        self._stall_seconds = stall_timeout_seconds
        self._timeout = httpx.Timeout(connect_timeout_seconds, read=stall_timeout_seconds)
        self._usage_refused = False

    def stream(self, question: Question, stopped: Callable[[], bool]) -> Generator[str, None, Answer]:
        """Yields the answer's text in pieces, then returns the whole Answer.

        While no text comes it yields the empty string at least every 50 ms, so that the caller can send what it has
        gathered by the clock and look after other duties; `stopped()` is looked at as often. Asks once: trying again
        is the stage's affair, and a new attempt starts the answer over.
        Raises FenceLost when stopped; TransientFault when the endpoint cannot be reached, is overloaded, goes silent
        for the stall timeout or breaks off, before the first piece or after it; StageFailed when asking again is
        of no use. Closing the generator closes the connection.
        """
        if stopped():
            raise FenceLost
        gathering = Gathering()
        with Reader(self._call(question)) as reader:
            yield from self._pieces(reader, gathering, stopped)
            self._usage_refused = self._usage_refused or reader.usage_refused
        gathering.check()
        return Answer(
            text=gathering.text,
            sources=cited_sources(gathering.text, usable_passages(question)),
            confidence=question.confidence,
            retriever_type=RETRIEVER_TYPE,
            usage=gathering.usage,
        )

    def _pieces(self, reader: Reader, gathering: Gathering, stopped: Callable[[], bool]) -> Generator[str, None, None]:
        heard = time.monotonic()
        while not gathering.done:
            item = reader.next(TICK_SECONDS)
            if stopped():
                raise FenceLost
            if isinstance(item, Ended):
                if item.fault is not None and gathering.finish_reason is None:
                    raise item.fault
                break
            if item is not None:
                heard = time.monotonic()
                yield gathering.take(item)
                continue
            silence = time.monotonic() - heard
            if gathering.finish_reason is not None and silence > FAREWELL_SECONDS:
                break
            if silence > self._stall_seconds:
                raise faults.stalled()
            yield ""
        yield gathering.finish()

    def _call(self, question: Question) -> Call:
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            # A compressed stream may be held back until a block is full.
            "Accept-Encoding": "identity",
            "User-Agent": "spanfeed",
        }
        if self._api_key:
            headers["Authorization"] = f"Bearer {self._api_key}"
        body = {"model": self.name, "messages": build_messages(question), "stream": True}
        if not self._usage_refused:
            body["stream_options"] = {"include_usage": True}
        # A proxy of the machine knows nothing of what runs on the same machine.
        trust_env = not _is_loopback(self._url.host)
        return Call(self._url, headers, body, self._timeout, _trust(self._url.scheme), trust_env)


@functools.cache
def _trust(scheme: str) -> ssl.SSLContext:
    # Loading the authorities takes tens of milliseconds: once a process, and not where there is no TLS.
    return httpx.create_ssl_context() if scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _completions_url(base_url: str) -> httpx.URL:
    try:
        url = httpx.URL(base_url.strip())
    except httpx.InvalidURL:
        raise SettingError("OPENAI_BASE_URL is not an address") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise SettingError("OPENAI_BASE_URL must begin with http:// or https:// and a host")
    return url.copy_with(path=url.path.rstrip("/") + "/chat/completions")


def _provider(host: str) -> str:
    for ending, name in _PROVIDERS.items():
        if host == ending or host.endswith(f".{ending}"):
            return name
    return "openai"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
