"""What is remembered of a conversation: its newest turns as far as they fit, of the older ones what was asked."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.llm.characters import whole
from tasks.llm.citations import without_citations
from tasks.llm.model import Turn

TURNS_LIMIT = 10
TURN_LIMIT_CHARACTERS = 2_000
# English has some four characters a token, French and Kiswahili some three: counted so, a text is never much longer.
CHARACTERS_PER_TOKEN = 4
# Of the whole, what the summary of the older turns may take.
_SUMMARY_SHARE = 0.2
_ASKED_LIMIT_CHARACTERS = 160


def tokens(text: str) -> int:
    """About how many tokens `text` has; no endpoint's own count is at hand before it is asked."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def remembered(turns: Sequence[Turn], limit_tokens: int) -> tuple[list[dict[str, str]], str]:
    """The newest turns as messages `{role, content}`, oldest first, and a summary of the older ones, or ''.

    Both together have at most about `limit_tokens`. The summary is made without a model: it holds the questions that
    were asked, the newest of them as far as they fit.
    """
    said = [_message(turn) for turn in turns if turn.role in {"user", "assistant"} and turn.text.strip()]
    if sum(tokens(message["content"]) for message in said) <= limit_tokens and len(said) <= TURNS_LIMIT:
        return said, ""
    room = limit_tokens - int(limit_tokens * _SUMMARY_SHARE)
    kept: list[dict[str, str]] = []
    for message in reversed(said[-TURNS_LIMIT:]):
        room -= tokens(message["content"])
        if room < 0:
            break
        kept.insert(0, message)
    # Some endpoints refuse a conversation that does not begin with its user.
    while kept and kept[0]["role"] == "assistant":
        del kept[0]
    older = said[: len(said) - len(kept)]
    return kept, _summary([one["content"] for one in older if one["role"] == "user"], limit_tokens)


def _message(turn: Turn) -> dict[str, str]:
    text = without_citations(turn.text) if turn.role == "assistant" else turn.text
    return {"role": turn.role, "content": whole(text[:TURN_LIMIT_CHARACTERS])}


def _summary(asked: Sequence[str], limit_tokens: int) -> str:
    room = int(limit_tokens * _SUMMARY_SHARE)
    kept: list[str] = []
    for text in reversed(asked):
        line = " ".join(text.split())
        line = line if len(line) <= _ASKED_LIMIT_CHARACTERS else line[: _ASKED_LIMIT_CHARACTERS - 1] + "…"
        room -= tokens(line) + 1
        if room < 0:
            break
        kept.insert(0, line)
    return " | ".join(kept)
