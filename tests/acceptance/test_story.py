"""The main story, over every transport."""

from __future__ import annotations

from collections.abc import Callable

from tests.parts.stack import Stack


def test_a_question_is_answered(make_stack: Callable[..., Stack]) -> None:
    """Without this a user gets no answer."""
    stack = make_stack().start()
    stack.add_document("zebra.md", "# Zebras\n\nThe blue zebra Quillon eats exactly seven turnips a day.\n")
    with stack.feed("s-1") as feed:
        message_id = stack.ask_async("How many turnips does Quillon eat?", "s-1")
        feed.until_ended(message_id)
    answer = stack.client().get(f"/chat/s-1/messages/{message_id}").json()
    assert "seven turnips" in answer["answer"]
