"""An OpenAI-compatible endpoint: where it is, whose it is, how it is asked and what its tokens cost."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import ssl
from typing import Any

import httpx

from pipeline.errors import SettingError
from tasks.llm.model import Usage
from tasks.llm.reader import Call

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
_PER_MILLION = 1_000_000
# The settings' names begin so, for the first endpoint and for the one behind it.
FIRST, SECOND = "OPENAI", "SPANFEED_LLM_SECOND"


@dataclasses.dataclass(frozen=True)
class Prices:
    """What a million tokens cost, of those that are sent and those that come; in any currency, 0: not told."""

    sent: float = 0.0
    received: float = 0.0

    def of(self, usage: Usage) -> Usage:
        """`usage` with its cost, where prices are told."""
        if not (self.sent or self.received):
            return usage
        cost = (usage.request_tokens * self.sent + usage.response_tokens * self.received) / _PER_MILLION
        return dataclasses.replace(usage, cost=round(cost, 9))


class Endpoint:
    """One endpoint with its model. Holds no connection: safe to make before a fork, and to use from several threads.

    `names` is what its settings begin with. Raises SettingError when the address is not one of HTTP, no model is
    named, or the key cannot stand in a header.
    """

    def __init__(
        self, base_url: str, api_key: str, model: str, timeout: httpx.Timeout, prices: Prices, names: str = FIRST
    ) -> None:
        self.url = _completions_url(base_url, names)
        if not model:
            raise SettingError(f"{names}_MODEL must name a model when {names}_BASE_URL is set")
        if not (api_key.isascii() and api_key.isprintable()):
            raise SettingError(f"{names}_API_KEY holds a character that no key can have")
        self.model = model
        self.provider = _provider(self.url.host)
        self.prices = prices
        self.refused: frozenset[str] = frozenset()
        self._api_key = api_key
        self._timeout = timeout

    def call(self, body: dict[str, Any]) -> Call:
        """A streamed request with `body`, to which the model and the wish for a count of tokens are added."""
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            # A compressed stream may be held back until a block is full.
            "Accept-Encoding": "identity",
            "User-Agent": "spanfeed",
        }
        if self._api_key:
            headers["Authorization"] = f"Bearer {self._api_key}"
        asked = {"model": self.model, **body, "stream": True, "stream_options": {"include_usage": True}}
        body = {name: value for name, value in asked.items() if name not in self.refused}
        # A proxy of the machine knows nothing of what runs on the same machine.
        trust_env = not _is_loopback(self.url.host)
        return Call(self.url, headers, body, self._timeout, _trust(self.url.scheme), trust_env)


@functools.cache
def _trust(scheme: str) -> ssl.SSLContext:
    # Loading the authorities takes tens of milliseconds: once a process, and not where there is no TLS.
    return httpx.create_ssl_context() if scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _completions_url(base_url: str, names: str) -> httpx.URL:
    try:
        url = httpx.URL(base_url.strip())
    except httpx.InvalidURL:
        raise SettingError(f"{names}_BASE_URL is not an address") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise SettingError(f"{names}_BASE_URL must begin with http:// or https:// and a host")
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
