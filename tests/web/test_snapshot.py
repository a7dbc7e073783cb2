"""The snapshot: what a page that comes late is given in one answer, and how it goes on from there."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.event import Category, Identity, Priority, State, Status
from pipeline.store import conversations
from tests.parts.ports import free_port
from tests.web.folding import document
from tests.web.site import Site, assert_problem
from web.feed.fold import fold

Json = dict[str, Any]


def _snapshot(site: Site, session_id: str, **query: Any) -> Json:
    reply = site.get(f"/chat/events/{session_id}/snapshot", query_string=query)
    assert reply.status_code == 200, reply.text
    return dict(reply.json or {})


class Run:
    """A message whose answer is being written."""

    def __init__(self, site: Site, session_id: str) -> None:
        self.site, self.session_id, self.token = site, session_id, uuid.uuid4().hex
        self.message_id = site.say(session_id)
        error = Identity("error", Category.WORKFLOW, Priority.HIGH, session_id=session_id, message_id=self.message_id)
        site.bus.submit(self.message_id, session_id, None, "receive", error, "q:none", b"first")
        site.bus.begin(session_id, self.message_id, "receive", self.token, "test/1", [])

    def write(self, offset: int, text: str) -> None:
        """Writes a piece of the answer."""
        assert self.site.bus.chunk(self.session_id, self.message_id, self.token, 1, offset, text)


def _span(site: Site, session_id: str, status: Status, name: str, parent: str | None = None, **more: Any) -> int:
    """An event of a message's span."""
    message_id = more.pop("message_id", "m-1")
    identity = Identity(
        more.pop("event_type", "agent_thinking"),
        Category.WORKFLOW,
        Priority.NORMAL,
        session_id=session_id,
        message_id=message_id,
        span_id=name,
        parent_span_id=parent,
    )
    return site.bus.append(identity, State(status, f"{name} {status}", more or None), uuid.uuid4().hex)


@pytest.mark.parametrize("stored", [False, True], ids=["live", "stored"])
def test_a_late_page_is_told_where_everything_stands(site: Site, session_id: str, stored: bool) -> None:
    """Without this a page that is opened late would be empty until it has read and folded everything."""
    thinking = _span(site, session_id, Status.STARTED, "t")
    search = _span(site, session_id, Status.STARTED, "s", "t", event_type="tool_search_documents", collection="docs")
    last = _span(site, session_id, Status.PROGRESS, "s", "t", event_type="tool_search_documents", count=3)
    if stored:
        site.recorder().run_until_empty()
    told = _snapshot(site, session_id)
    events = site.page(session_id, after=0)["events"]
    assert told["events"] == events
    assert (told["session_id"], told["epoch"], told["has_more"]) == (session_id, site.bus.clock()[0], False)
    assert told["last_id"] == told["next_after"] >= last
    [message] = told["messages"]
    assert (message["message_id"], message["status"], message["sentence"]) == ("m-1", "running", "s progress")
    assert (message["started_at"], message["whole"], message["answer"]) == (events[0]["timestamp"], True, None)
    [stage] = message["stages"]
    [child] = stage["children"]
    assert (stage["event_type"], stage["event_status"], stage["first_id"]) == ("agent_thinking", "started", thinking)
    assert (child["event_type"], child["event_status"], child["first_id"]) == (
        "tool_search_documents",
        "progress",
        search,
    )
    assert (child["parent_span_id"], child["data"]) == ("t", {"collection": "docs", "count": 3})
    assert child["started_at"] == events[1]["timestamp"]
    folded = document(fold(events)["m-1"])
    assert {name: message[name] for name in folded} == folded


def test_its_events_are_the_same_bytes_as_everywhere(site: Site, session_id: str) -> None:
    """Without this a client would take an event that it knows for another one."""
    site.emit(session_id, 5, data={"text": "é 🔍 \"'\\", "n": 1.5})
    polled = site.get(f"/chat/events/{session_id}", query_string={"after": 0}).data.partition(b'"events":')[2]
    for _ in range(2):
        assert site.get(f"/chat/events/{session_id}/snapshot").data.endswith(b'"events":' + polled)
        site.recorder().run_until_empty()


def test_the_answer_so_far_is_told_as_it_is_now(site: Site, session_id: str) -> None:
    """Without this a page that is opened while an answer is written would begin in the middle, or with old text."""
    run = Run(site, session_id)
    site.emit(session_id, 1, "response_generation", message_id=run.message_id)
    run.write(0, "Set é🔍 the ")
    [message] = _snapshot(site, session_id)["messages"]
    assert message["answer"] == {"attempt": 1, "offset": 0, "text": "Set é🔍 the "}
    run.write(11, "interval")
    [message] = _snapshot(site, session_id)["messages"]
    assert message["answer"] == {"attempt": 1, "offset": 0, "text": "Set é🔍 the interval"}
    assert message["status"] == "running"


def test_another_sessions_answer_is_told_to_nobody(site: Site, session_id: str) -> None:
    """Without this whoever may write an event could read the answer of any message whose id they know."""
    run = Run(site, f"{session_id}-other")
    run.write(0, "a secret")
    site.emit(session_id, 1, message_id=run.message_id)
    [message] = _snapshot(site, session_id)["messages"]
    assert message["answer"] is None


def test_the_answer_of_a_deleted_session_is_gone(site: Site, session_id: str) -> None:
    """Without this a user's answer would outlive its deletion."""
    run = Run(site, session_id)
    site.emit(session_id, 1, message_id=run.message_id)
    run.write(0, "a secret")
    assert _snapshot(site, session_id)["messages"][0]["answer"] is not None
    assert site.ask("DELETE", f"/chat/{session_id}").status_code == 200
    assert _snapshot(site, session_id)["messages"][0]["answer"] is None


def test_a_message_that_nobody_has_begun_is_queued(site: Site, session_id: str) -> None:
    """Without this a page that is loaded again would forget the question that waits for a worker."""
    site.emit(session_id, 1, message_id="m-1")
    waiting = site.say(session_id)
    told = _snapshot(site, session_id)["messages"]
    assert [(message["message_id"], message["status"]) for message in told] == [("m-1", "running"), (waiting, "queued")]
    assert (told[1]["stages"], told[1]["started_at"], told[1]["answer"]) == ([], None, None)
    site.emit(session_id, 1, message_id=waiting)
    assert [message["status"] for message in _snapshot(site, session_id)["messages"]] == ["running", "running"]


def test_the_newest_messages_and_events_are_told(site: Site, session_id: str) -> None:
    """Without this a long conversation would be sent whole, or only its beginning."""
    ids = [site.emit(session_id, 2, message_id=f"m-{number}") for number in range(7)]
    told = _snapshot(site, session_id)
    assert [message["message_id"] for message in told["messages"]] == [f"m-{number}" for number in range(2, 7)]
    told = _snapshot(site, session_id, messages=1, limit=3)
    assert [message["message_id"] for message in told["messages"]] == ["m-6"]
    assert [event["id"] for event in told["events"]] == [ids[5][1], *ids[6]]
    assert (told["has_more"], told["messages"][0]["whole"]) == (True, True)
    assert len(_snapshot(site, session_id, messages=20, limit=14)["messages"]) == 7


def test_a_message_whose_beginning_was_not_read_says_so(site: Site, session_id: str) -> None:
    """Without this a page would take what is left of a long message for all of it."""
    site.emit(session_id, 120, status=Status.PROGRESS)
    [message] = _snapshot(site, session_id, messages=1, limit=1)["messages"]
    assert message["whole"] is False
    [message] = _snapshot(site, session_id, messages=2, limit=1)["messages"]
    assert message["whole"] is True


def test_who_goes_on_from_a_snapshot_misses_nothing_and_sees_nothing_twice(site: Site, session_id: str) -> None:
    """Without this an event between the snapshot and the feed would be lost, or shown twice."""
    over = threading.Event()
    written: list[int] = []

    def write() -> None:
        while not over.is_set():
            written.extend(site.emit(session_id))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        snapshots = [_snapshot(site, session_id, limit=500, messages=20) for _ in range(15)]
    finally:
        over.set()
        writer.join(20)
    for told in snapshots:
        seen = [event["id"] for event in told["events"]]
        assert all(event_id <= told["last_id"] for event_id in seen)
        after = told["last_id"]
        while page := site.ids(session_id, after=after, epoch=told["epoch"], limit=500):
            seen += page
            after = page[-1]
        assert seen == written[-len(seen) :]
        assert told["has_more"] or len(seen) == len(written)
        assert "reset" not in site.page(session_id, after=told["last_id"], epoch=told["epoch"])


def test_an_empty_session_has_a_beginning(site: Site, session_id: str) -> None:
    """Without this a page of a new conversation would not know from where to follow."""
    told = _snapshot(site, session_id)
    assert (told["messages"], told["events"], told["has_more"]) == ([], [], False)
    ids = site.emit(session_id)
    assert site.ids(session_id, after=told["last_id"], epoch=told["epoch"]) == ids


@pytest.mark.parametrize(
    ("name", "value"),
    [*(("messages", v) for v in ("0", "21", "-1", "x", "")), *(("limit", v) for v in ("0", "501", "1e2"))],
)
def test_garbage_is_refused_and_named(site: Site, name: str, value: str) -> None:
    """Without this a client with a mistake would get something else than it asked for."""
    detail = assert_problem(site.get("/chat/events/s/snapshot", query_string={name: value}), 422)
    assert detail[0]["loc"] == ["query", name]


def test_without_redis_there_is_no_snapshot(make_site: Callable[..., Site], session_id: str) -> None:
    """Without this a page would be told to go on from where nobody knows what came before."""
    site = make_site(REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    assert_problem(site.get(f"/chat/events/{session_id}/snapshot"), 503)


def test_a_visitor_sees_only_their_own(site: Site, session_id: str) -> None:
    """Without this a session's id would be enough to read what is being answered there."""
    conversations.open_session(site.store, session_id, "key:main", None, "en")
    browser = site.browser()
    assert browser.post("/page/session", headers={"Origin": "http://localhost"}).status_code == 201
    assert browser.get(f"/chat/events/{session_id}/snapshot").status_code == 404
