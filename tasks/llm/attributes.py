"""What a span tells of a request to a model, by the GenAI conventions."""

from __future__ import annotations

from pipeline import semconv
from tasks.llm.model import Usage


def model_attributes(provider: str, model: str, usage: Usage | None) -> dict[str, str | int | float]:
    """The span attributes of a finished request."""
    told: dict[str, str | int | float] = {
        semconv.GEN_AI_OPERATION_NAME: "chat",
        semconv.GEN_AI_PROVIDER_NAME: provider,
        semconv.GEN_AI_REQUEST_MODEL: model,
    }
    if usage is not None:
        told[semconv.GEN_AI_USAGE_INPUT_TOKENS] = usage.request_tokens
        told[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] = usage.response_tokens
        if usage.cost is not None:
            told[semconv.GEN_AI_USAGE_COST] = usage.cost
    return told
