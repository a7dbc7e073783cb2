"""The models behind endpoints that the settings ask for, made once a process."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from pipeline.errors import SettingError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from tasks.llm.failover import FailoverModel
    from tasks.llm.planner import Planner


@functools.cache
def endpoints(settings: Settings) -> FailoverModel | None:
    """The OpenAI-compatible endpoints that are set; None without one. Raises SettingError."""
    if not settings.openai_base_url:
        return None
    # Here, since they load an HTTP client, which most processes do without.
    from tasks.llm.endpoint import SECOND, Prices
    from tasks.llm.failover import FailoverModel
    from tasks.llm.openai import OpenAIModel

    connect, stall = settings.llm_connect_timeout_seconds, settings.llm_stall_timeout_seconds
    first_token = settings.llm_first_token_timeout_seconds
    named = (settings.openai_base_url, settings.openai_api_key, settings.openai_model)
    prices = Prices(settings.llm_input_price_per_million, settings.llm_output_price_per_million)
    memory = settings.memory_limit_tokens
    models = [OpenAIModel(*named, connect, stall, first_token, prices, memory_tokens=memory)]
    if settings.llm_second_base_url:
        named = (settings.llm_second_base_url, settings.llm_second_api_key, settings.llm_second_model)
        prices = Prices(settings.llm_second_input_price_per_million, settings.llm_second_output_price_per_million)
        models.append(OpenAIModel(*named, connect, stall, first_token, prices, SECOND, memory))
    return FailoverModel(models, settings.llm_rest_seconds)


@functools.cache
def planner(settings: Settings) -> Planner | None:
    """The model that chooses the tools, where the settings want one and name an endpoint. Raises SettingError."""
    if settings.planner not in {"rules", "model"}:
        raise SettingError(f"SPANFEED_PLANNER must be rules or model, not {settings.planner}")
    author = endpoints(settings) if settings.planner == "model" else None
    if author is None:
        return None
    from tasks.llm.planner import Planner

    return Planner(author, settings.planner_timeout_seconds, settings.tool_calls_limit, settings.memory_limit_tokens)
