"""Who a piece of work is for: it survives the way through a task's headers, and so does the trace."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage, context
from opentelemetry.context import Context

from pipeline.context import (
    CARRIED,
    Audience,
    attached,
    audience_of,
    from_headers,
    remote_span,
    span_id_of,
    to_headers,
    trace_of,
    with_audience,
)

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize("user_id", [None, "u-1", "Zoë O'Neill, ops; a=b & 100 %", "用户", 'quote"back\\slash', "a b"])
def test_the_audience_survives_a_tasks_headers(user_id: str | None) -> None:
    """A worker would not know whose question it answers, or in which language."""
    audience = Audience("s-1", "m-1", user_id, "sw")
    headers = to_headers(with_audience(audience, remote_span(TRACE_ID, SPAN_ID, Context())))
    assert set(headers) <= set(CARRIED)
    assert all(value.isascii() and "\n" not in value for value in headers.values())
    back = from_headers(headers)
    assert audience_of(back) == audience
    assert trace_of(back) == (TRACE_ID, SPAN_ID)
    assert headers["traceparent"] == f"00-{TRACE_ID}-{SPAN_ID}-01"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=128))
def test_any_user_id_survives(user_id: str) -> None:
    """A user with an unusual name would lose their events."""
    audience = Audience("s-1", "m-1", user_id, "en")
    assert audience_of(from_headers(to_headers(with_audience(audience, Context())))) == audience


@pytest.mark.parametrize(
    "traceparent", ["", "garbage", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "00-é", "00-1-2-3-4"]
)
def test_garbage_in_the_headers_is_no_context(traceparent: str) -> None:
    """A message from a foreign client would bring the stage down."""
    found = from_headers({"traceparent": traceparent, "baggage": ";;;=,%%%,session.id"})
    assert audience_of(found) is None
    assert trace_of(found) == ("0" * 32, "0" * 16)
    assert audience_of(from_headers({})) is None


def test_headers_hold_nothing_of_the_sending_process() -> None:
    """What another request left in this process would travel with a stranger's question."""
    with attached(baggage.set_baggage("left", "behind")):
        assert baggage.get_all(from_headers({})) == {}
        assert "left" not in to_headers(with_audience(Audience("s-1", "m-1", None, "en"), Context())).get("baggage", "")


def test_a_context_is_there_for_a_while() -> None:
    """The next task of this process would work for the last one's user."""
    before = context.get_current()
    audience = Audience("s-1", "m-1", "u", "en")

    def work() -> None:
        with attached(with_audience(audience)):
            assert audience_of() == audience
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert audience_of() is None
    assert context.get_current() == before


def test_a_spans_id_is_the_same_everywhere() -> None:
    """A span opened in one process and closed in another would be two spans in the trace."""
    code = "from pipeline.context import span_id_of; print(span_id_of('m-1', 'tool_search_documents/docs'))"
    elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    here = span_id_of("m-1", "tool_search_documents/docs")
    assert elsewhere.stdout.strip() == here
    assert re.fullmatch("[0-9a-f]{16}", here)
    others = {span_id_of(m, s) for m in ("m-1", "m-2") for s in ("agent_thinking", "response_generation", "a\nb")}
    assert len(others | {here}) == 7
