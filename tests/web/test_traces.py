"""A run's trace: its spans and attempts, its critical path, and that it is right while the run is open."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.bus.runs import Closing, SpanStart
from pipeline.errors import SettingError
from pipeline.event import Category, Identity, Priority, State, Status
from tests.web.site import ADMIN_KEY, Site, assert_problem
from web.operations.spans import Tree, critical_path, tree_of

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


def event(at: int, span: str | None, status: str | None, event_type: str = "agent_thinking", **more: Any) -> Any:
    """An event as a trace is made of it."""
    plain = "processing_time_ms queue_time_ms reason error_type task_id trace_id user_message event_data parent_span_id"
    made = {"id": at, "span_id": span, "event_status": status, "event_type": event_type, "attempt": 1}
    return {**made, **dict.fromkeys(plain.split()), **more}


def lines(tree: Tree) -> list[tuple[str, str | None, str, int, int | None]]:
    """Each span in short."""
    return [(span.id, span.parent, span.state, span.start, span.end) for span in tree.spans]


def test_each_attempt_is_a_span() -> None:
    """Without this a stage that was tried three times would look like one that is slow."""
    tree = tree_of(
        [
            event(10, "t", "started", queue_time_ms=4, task_id="task-1"),
            event(20, "s", "started", parent_span_id="t"),
            event(30, "t", "progress", attempt=2, reason="worker_lost"),
            event(31, "t", "progress", attempt=2, event_data={"n": 1}),
            event(40, "u", "started", parent_span_id="t"),
            event(50, "t", "progress", attempt=3, reason="error"),
            event(60, "s", "failed", reason="cancelled"),
            event(61, "s", "completed"),
            event(70, "t", "completed", attempt=3, event_data={"m": 2}),
            event(71, "u", "failed", reason="timeout", error_type="Slow"),
            event(72, "message", None, "message.feedback"),
        ]
    )
    tree.settle(is_open=False, is_queued=False)
    assert lines(tree) == [
        ("t", None, "lost", 10, 30),
        ("s", "t", "cancelled", 20, 60),
        ("t.2", None, "failed", 30, 50),
        ("u", "t.2", "failed", 40, 71),
        ("t.3", None, "completed", 50, 70),
    ]
    first, last = tree.spans[0], tree.spans[-1]
    assert (first.queued_ms, first.task_id, first.reason, first.attempt) == (4, "task-1", "worker_lost", 1)
    assert (last.attributes, last.attempt, last.reason) == ({"m": 2}, 3, None)
    assert tree.spans[2].attributes == {"n": 1}


@pytest.mark.parametrize(
    ("is_open", "is_queued", "states"),
    [(True, False, ["failed", "running"]), (True, True, ["failed", "queued"]), (False, False, ["failed", "lost"])],
)
def test_an_open_span_is_what_its_run_is(is_open: bool, is_queued: bool, states: list[str]) -> None:
    """Without this work that has died would run for ever, or work that waits would seem to run."""
    tree = tree_of([event(10, "t", "started"), event(30, "t", "progress", attempt=2, reason="error")])
    tree.settle(is_open, is_queued)
    assert [span.state for span in tree.spans] == states


def test_the_critical_path_is_what_the_length_came_from() -> None:
    """Without this somebody would make faster what nobody waits for."""
    tree = tree_of(
        [
            event(0, "r", "started", "message_received"),
            event(10, "r", "completed", "message_received"),
            event(12, "t", "started"),
            event(13, "a", "started", parent_span_id="t"),
            event(13, "b", "started", parent_span_id="t"),
            event(14, "c", "started", parent_span_id="b"),
            event(20, "a", "completed", parent_span_id="t"),
            event(28, "c", "completed", parent_span_id="b"),
            event(30, "b", "completed", parent_span_id="t"),
            event(31, "t", "completed"),
            event(33, "g", "started", "response_generation"),
        ]
    )
    tree.settle(is_open=True, is_queued=False)
    assert critical_path(tree.spans, 40) == ["r", "t", "b", "c", "g"]
    assert critical_path([], 40) == []


def test_an_ending_without_its_beginning_is_drawn_by_what_it_took() -> None:
    """Without this a stage whose beginning is deleted would be missing, or have no length."""
    tree = tree_of([event(9_000, None, "completed", "tool_x", processing_time_ms=4, event_data={"collection": "docs"})])
    assert lines(tree) == [("tool_x:docs", None, "completed", 5_000, 9_000)]
    assert tree_of([event(1, "s", "started", "span", event_data={"name": "GET", "x": 1})]).spans[0].name == "GET"


class Work:
    """A run that is worked on by hand, with the bus's own scripts."""

    def __init__(self, site: Site) -> None:
        self.site, self.session_id = site, str(uuid.uuid4())
        self.message_id = site.say(self.session_id)

    def identity(self, event_type: str, span_id: str = "a" * 16) -> Identity:
        """What a span's events share."""
        names = {"session_id": self.session_id, "message_id": self.message_id, "trace_id": TRACE_ID}
        return Identity(event_type, Category.WORKFLOW, Priority.NORMAL, **names, span_id=span_id)

    def submit(self) -> None:
        """Makes the run."""
        error = self.identity("error")
        assert self.site.bus.submit(self.message_id, self.session_id, None, "receive", error, "none", b"")

    def begin(self, stage: str, event_type: str, span_id: str) -> None:
        """Begins a stage with one span."""
        state = State(Status.STARTED, "Working", {"n": 1}, task_id="task/1")
        span = SpanStart(event_type, self.identity(event_type, span_id), state, "Failed")
        self.site.bus.begin(self.session_id, self.message_id, stage, f"token-{stage}", "here/1", [span])

    def end(self, stage: str, event_type: str, following: str = "") -> None:
        """Ends it, and hands over."""
        closing = Closing(event_type, Status.COMPLETED, State(Status.COMPLETED, "Done", task_id="task/1"))
        self.site.bus.end(self.session_id, self.message_id, stage, f"token-{stage}", [closing], None, following)

    def trace(self) -> Any:
        """The answer of the route."""
        reply = self.site.get(f"/api/v1/operations/runs/{self.message_id}", ADMIN_KEY)
        assert reply.status_code == 200, reply.text
        return reply.json

    def short(self) -> tuple[str, list[tuple[str, str, str]]]:
        """How the run stands, and each span's id, type and state."""
        found = self.trace()
        assert found["open"] == (found["status"] in {"queued", "running"})
        return found["status"], [(one["id"], one["event_type"], one["state"]) for one in found["spans"]]


RECEIVED = ("a" * 16, "message_received", "completed")


def test_a_trace_is_right_from_the_first_moment_to_the_last(make_site: Callable[..., Site]) -> None:
    """Without this an operator would be told of an open run what was true when the recorder was last there."""
    site = make_site(
        SPANFEED_TRACE_URL_TEMPLATE="https://jaeger.example.org/trace/{trace_id}?uiFind={span_id}",
        SPANFEED_FLOWER_URL_TEMPLATE="http://127.0.0.1:5555/task/{task_id}",
    )
    work = Work(site)
    assert work.short() == ("queued", [("queued", "message_received", "queued")])
    work.submit()
    assert work.short() == ("queued", [("queued", "message_received", "queued")])
    work.begin("receive", "message_received", "a" * 16)
    assert work.short() == ("running", [(*RECEIVED[:2], "running")])
    open_span = work.trace()["spans"][0]
    assert (open_span["end"], open_span["duration_ms"], open_span["critical"]) == (None, None, True)
    assert open_span["age_ms"] >= 0
    assert open_span["links"] == {
        "flower": "http://127.0.0.1:5555/task/task%2F1",
        "trace": f"https://jaeger.example.org/trace/{TRACE_ID}?uiFind={'a' * 16}",
    }
    work.end("receive", "message_received", "generate")
    assert work.short() == ("queued", [RECEIVED, ("queued", "response_generation", "queued")])
    work.begin("generate", "response_generation", "b" * 16)
    site.recorder().run_until_empty()
    token = ("token", "token-generate")
    again = State(Status.PROGRESS, "Again", reason="error")
    site.bus.release(work.session_id, work.message_id, "generate", token, again)
    first = ("b" * 16, "response_generation", "failed")
    assert work.short() == ("queued", [RECEIVED, first, (f"{'b' * 16}.2", "response_generation", "queued")])
    site.bus.fail(work.session_id, work.message_id, "generate", ("any", ""), State(None, reason="timeout"), _error())
    found = work.trace()
    last = found["spans"][-1]
    assert (found["status"], found["reason"], found["open"], last["state"]) == ("failed", "timeout", False, "failed")
    assert (last["attempt"], last["reason"], last["age_ms"]) == (2, "timeout", None)
    assert found["critical_path"] == ["a" * 16, "b" * 16, f"{'b' * 16}.2"]
    assert found["start"] < found["end"] <= found["now"] + 1_000
    assert (found["whole"], found["trace_id"]) == (True, TRACE_ID)
    site.recorder().run_until_empty()
    site.bus.forget_session(work.session_id, [work.message_id])
    stored = work.trace()
    assert stored["spans"] == found["spans"]


def _error() -> State:
    return State(Status.FAILED, "It took too long", reason="timeout")


def test_a_trace_holds_what_only_operators_see(site: Site) -> None:
    """Without this the query that makes a stage slow would not be in its trace."""
    work = Work(site)
    work.submit()
    work.begin("receive", "message_received", "a" * 16)
    inner = Identity(
        "span",
        Category.MONITORING,
        Priority.LOW,
        message_id=work.message_id,
        trace_id=TRACE_ID,
        span_id="c" * 16,
        parent_span_id="a" * 16,
    )
    data = {"name": "SELECT", "session_id": work.session_id, "db.system": "sqlite"}
    site.bus.append(inner, State(Status.STARTED, None, data), uuid.uuid4().hex, audience="operator")
    for _ in range(2):
        found = work.trace()["spans"][1]
        assert (found["name"], found["event_type"], found["parent"]) == ("SELECT", "span", "a" * 16)
        assert found["attributes"] == {"db.system": "sqlite"}
        site.recorder().run_until_empty()


def test_an_unknown_run_has_no_trace(site: Site) -> None:
    """Without this a mistyped id would look like a run of which nothing is known."""
    for unknown in ("unknown", "x%20y", "..%2F"):
        assert_problem(site.get(f"/api/v1/operations/runs/{unknown}", ADMIN_KEY), 404)


def test_without_redis_a_trace_is_what_is_stored(site: Site) -> None:
    """Without this nobody could look at an old run while Redis is away, or would take a part for the whole."""
    work = Work(site)
    work.submit()
    work.begin("receive", "message_received", "a" * 16)
    site.recorder().run_until_empty()
    away = Site(site.settings.home_path, "redis://127.0.0.1:1/0")
    try:
        reply: Any = away.get(f"/api/v1/operations/runs/{work.message_id}", ADMIN_KEY).json
    finally:
        away.close()
    assert (reply["status"], reply["whole"], reply["open"], reply["epoch"]) == ("accepted", False, True, "")
    assert [span["state"] for span in reply["spans"]] == ["running"]


@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("TRACE", "javascript:alert({trace_id})"),
        ("TRACE", "https:///{trace_id}"),
        ("TRACE", "https://jaeger.example.org/"),
        ("FLOWER", "https://flower.example.org/{task_id}/{secret}"),
    ],
)
def test_a_template_that_is_no_address_is_refused(make_site: Callable[..., Site], name: str, template: str) -> None:
    """Without this a link in an administrator's page could run a script, or lead nowhere."""
    with pytest.raises(SettingError, match=f"SPANFEED_{name}_URL_TEMPLATE"):
        make_site(**{f"SPANFEED_{name}_URL_TEMPLATE": template})
