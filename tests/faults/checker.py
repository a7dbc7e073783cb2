"""The judge: every invariant as a function of the evidence, and all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.faults import check_clients, check_events, check_messages
from tests.faults.journal import Evidence
from tests.faults.violation import Violation

CHECKS: tuple[Callable[[Evidence], Iterator[Violation]], ...] = (
    check_messages.every_message_ends_once,
    check_events.every_span_ends_once,
    check_events.stored_is_emitted,
    check_events.ids_and_order,
    check_clients.every_client_saw_everything,
    check_clients.no_open_spinner,
    check_messages.answers_are_what_was_said,
    check_events.nothing_leaks,
    check_events.dead_letters_are_poison,
)
"""I1 to I9, in order."""


def judge(evidence: Evidence) -> list[Violation]:
    """Every violation of every invariant."""
    return [violation for check in CHECKS for violation in check(evidence)]
