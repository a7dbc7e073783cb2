"""Coming late and coming back: what was missed, then what is new, without gaps or repeats."""

from __future__ import annotations

import json
import threading
import uuid
from typing import Any

import pytest

from pipeline.bus import Bus, keys
from pipeline.event import Status
from pipeline.store import events, marks
from tests.parts.feed_client import FeedClient
from tests.parts.stack import KEY, Stack
from tests.parts.waiting import wait_for
from tests.web.site import emit
from tests.web.wire import Wire
from web.recorder import Recorder


@pytest.fixture(params=["threads", "relay"])
def way(request: pytest.FixtureRequest) -> str:
    """Both ways in which feeds are served."""
    return str(request.param)


@pytest.fixture
def recorder(server: Stack, server_bus: Bus) -> Recorder:
    """A recorder for the server's database, which works when it is told to."""
    return Recorder(server.settings(), server_bus, server.store)


def _ids(client: FeedClient) -> list[int]:
    return [event["id"] for event in client.events]


def _read(client: FeedClient, last_id: int) -> list[int]:
    """Reads up to an event and gives the ids of all that came."""
    client.until(lambda frame: frame["type"] == "event" and frame["event"]["id"] == last_id)
    return _ids(client)


def test_without_a_cursor_only_what_is_new_is_given(server: Stack, server_bus: Bus, session_id: str) -> None:
    """A client of the first seed would show old stages as if they ran now."""
    emit(server_bus, session_id, 5)
    with server.feed(session_id) as client:
        new = emit(server_bus, session_id, 3)
        assert _read(client, new[-1]) == new
    assert [frame["type"] for frame in client.frames] == ["connection", "event", "event", "event"]


@pytest.mark.parametrize("stored", [0, 5, 10], ids=["live", "half stored", "stored"])
def test_behind_a_cursor_what_was_missed_comes_first(
    server: Stack, server_bus: Bus, recorder: Recorder, session_id: str, stored: int
) -> None:
    """A client that was away for a moment would never see what happened meanwhile."""
    ids = emit(server_bus, session_id, stored)
    recorder.run_until_empty()
    ids += emit(server_bus, session_id, 10 - stored)
    with server.feed(session_id, after=ids[3]) as client:
        ids += emit(server_bus, session_id, 3)
        assert _read(client, ids[-1]) == ids[4:]
    assert [frame["type"] for frame in client.frames[:2]] == ["connection", "hello"]
    assert client.frames[1]["after"] == ids[3]


def test_cursor_zero_gives_everything(server: Stack, server_bus: Bus, session_id: str) -> None:
    """A page that is loaded again could not show what has been shown before."""
    ids = emit(server_bus, session_id, 1_200)
    with server.feed(session_id, after=0) as client:
        assert _read(client, ids[-1]) == ids


@pytest.mark.parametrize("stale", [{"epoch": "1"}, {"ahead": True}], ids=["epoch", "future"])
def test_a_cursor_that_is_worth_nothing_is_said_to_be(
    server: Stack, server_bus: Bus, session_id: str, stale: dict[str, Any]
) -> None:
    """After Redis has lost its data a client would wait for ids that never come."""
    ids = emit(server_bus, session_id, 3)
    epoch, last_id = server_bus.clock()
    query = {"after": last_id + 3_600_000_000} if "ahead" in stale else {"after": ids[1], **stale}
    with server.feed(session_id, **query) as client:
        assert _read(client, ids[-1]) == ids
    kinds = [frame["type"] for frame in client.frames[:4]]
    assert kinds == ["connection", "reset", "hello", "event"]
    assert client.frames[1]["reason"] == ("epoch" if "epoch" in stale else "future")
    assert client.frames[1]["epoch"] == client.frames[0]["epoch"] == epoch


def test_a_cursor_behind_which_events_were_deleted_is_worth_nothing(
    server: Stack, server_bus: Bus, recorder: Recorder, session_id: str
) -> None:
    """A client that comes back after a week would put the end of a story behind its beginning."""
    ids = emit(server_bus, session_id, 6)
    recorder.run_until_empty()
    with server.redis.client() as client:
        client.delete(keys.session_stream(session_id))
        client.xtrim(keys.LOG, maxlen=0, approximate=False)
    marks.note_deleted(server.store, ids[4])
    events.delete_older(server.store, ids[4])
    with server.feed(session_id, after=ids[0]) as client:
        assert _read(client, ids[-1]) == ids[4:]
    assert [frame["type"] for frame in client.frames[:4]] == ["connection", "reset", "hello", "event"]
    assert client.frames[1]["reason"] == "history"
    with server.feed(session_id, after=ids[4]) as client:
        assert _read(client, ids[-1]) == ids[5:]
    assert "reset" not in {frame["type"] for frame in client.frames}


def test_a_cursor_of_the_right_epoch_is_no_reset(server: Stack, server_bus: Bus, session_id: str) -> None:
    """A client that does everything right would start over at each reconnection."""
    ids = emit(server_bus, session_id, 3)
    epoch, _ = server_bus.clock()
    with server.feed(session_id, after=ids[0], epoch=epoch) as client:
        assert _read(client, ids[-1]) == ids[1:]
    assert "reset" not in {frame["type"] for frame in client.frames}


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({"event_type": "tool_*"}, ["search", "failed"]),
    ({"event_type": ["agent_thinking", "document.*"]}, ["think", "uploaded"]),
    ({"event_type": "*_search_*", "event_status": "failed"}, ["failed"]),
    ({"event_status": ["failed", "completed"]}, ["failed", "uploaded"]),
    ({"category": "workflow", "priority": "normal"}, ["think", "search", "failed", "uploaded", "capital"]),
    ({"event_type": "Tool_*"}, ["capital"]),
]


def _some(bus: Bus, session_id: str) -> dict[str, int]:
    kinds = {
        "think": ("agent_thinking", Status.STARTED),
        "search": ("tool_search_documents", Status.STARTED),
        "failed": ("tool_search_documents", Status.FAILED),
        "uploaded": ("document.uploaded", Status.COMPLETED),
        "capital": ("Tool_Search_Documents", Status.STARTED),
    }
    return {name: emit(bus, session_id, 1, kind, status)[0] for name, (kind, status) in kinds.items()}


@pytest.mark.parametrize(("query", "expected"), FILTERS, ids=[str(query) for query, _ in FILTERS])
def test_filters_hold_for_the_past_and_for_what_is_live(
    server: Stack, server_bus: Bus, recorder: Recorder, session_id: str, query: dict[str, Any], expected: list[str]
) -> None:
    """A client would see other events after a reconnection than before it."""
    stored = _some(server_bus, session_id)
    recorder.run_until_empty()
    kept = _some(server_bus, session_id)
    with server.feed(session_id, after=0, **query) as client:
        live = _some(server_bus, session_id)
        wanted = [made[name] for made in (stored, kept, live) for name in expected]
        assert _read(client, wanted[-1]) == wanted
        client.socket.send("ping")
        assert client.next()["type"] == "text"
    with server.client() as http:
        polled = http.get(f"/chat/events/{session_id}", params={"after": 0, **query}).json()["events"]
    assert client.events == polled


def test_a_feed_that_filters_almost_everything_still_reaches_the_end(
    server: Stack, server_bus: Bus, recorder: Recorder, session_id: str
) -> None:
    """A client with a filter would stop within a long past."""
    wanted = []
    for _ in range(6):
        emit(server_bus, session_id, 300, "loading_history")
        wanted += emit(server_bus, session_id, 1, "error", Status.FAILED)
        if len(wanted) == 3:
            recorder.run_until_empty()
    with server.feed(session_id, after=0, event_type="error") as client:
        wanted += emit(server_bus, session_id, 1, "error", Status.FAILED)
        assert _read(client, wanted[-1]) == wanted


def test_two_sessions_do_not_hear_each_other(server: Stack, server_bus: Bus, session_id: str) -> None:
    """A user would see another's conversation."""
    other = f"{session_id}-2"
    with server.feed(session_id) as client, server.feed(other) as neighbour:
        emit(server_bus, other, 3)
        mine = emit(server_bus, session_id, 2)
        emit(server_bus, "operators", 1)
        assert _read(client, mine[-1]) == mine
        theirs = emit(server_bus, other, 1)
        assert len(_read(neighbour, theirs[-1])) == 4


def test_clients_that_come_while_thousands_are_written_see_each_event_once(
    server: Stack, server_bus: Bus, recorder: Recorder, session_id: str
) -> None:
    """Between what is read from the record and what is live an event would fall through, or come twice."""
    writers, each, readers = 3, 1_500, 12
    total = writers * each
    results: list[list[int]] = []
    recording = threading.Thread(target=recorder.run, daemon=True)
    counter = server.redis.client()

    def written() -> int:
        return int(counter.get(keys.sequence(session_id)) or 0)

    def read(start: int) -> None:
        seen: list[int] = []
        client = FeedClient(server.url, session_id, KEY, after=start)
        while not seen or seen[-1] < total:
            frame = client.next(30)
            if frame["type"] == "event":
                seen.append(frame["event"]["seq"])
        client.socket.close()
        results.append(seen)

    writing = [threading.Thread(target=emit, args=(server_bus, session_id, each), daemon=True) for _ in range(writers)]
    for thread in (*writing, recording):
        thread.start()
    reading = []
    try:
        for _ in range(readers):
            reading.append(threading.Thread(target=read, args=(0,), daemon=True))
            reading[-1].start()
            # The next one comes when some more events have been written.
            goal = min(written() + total // readers, total)
            wait_for(lambda goal=goal: written() >= goal, "more events", 60)  # type: ignore[misc]
        for thread in (*writing, *reading):
            thread.join(60)
    finally:
        recorder.stop()
        recording.join(20)
        counter.close()
    assert len(results) == readers
    for seen in results:
        assert seen == list(range(1, total + 1))


def test_a_client_that_comes_and_goes_misses_nothing(server: Stack, server_bus: Bus, session_id: str) -> None:
    """A telephone that loses its connection every few seconds would lose events with it."""
    total = 1_500
    writing = threading.Thread(target=emit, args=(server_bus, session_id, total), daemon=True)
    writing.start()
    seen: list[int] = []
    last_id = 0
    while len(seen) < total:
        with Wire(server.url) as wire:
            assert wire.upgrade(f"/chat/ws/events/{session_id}?after={last_id}").status == 101
            heard = 0
            while heard < 50 and len(seen) < total:
                frame = json.loads(wire.frame()[1])
                if frame["type"] == "event":
                    heard += 1
                    seen.append(frame["event"]["seq"])
                    last_id = frame["event"]["id"]
    writing.join(20)
    assert seen == list(range(1, total + 1))


def test_who_comes_in_mid_answer_gets_the_text_so_far(server: Stack, server_bus: Bus, session_id: str) -> None:
    """A page that is loaded again in mid-answer would begin in the middle of a word."""
    with server.feed(session_id) as early:
        message_id = server.ask_async("How?", session_id)
        token = uuid.uuid4().hex
        server_bus.begin(session_id, message_id, "receive", token, "test/1", [])
        for offset, piece in ((0, "Set the "), (8, "interval")):
            assert server_bus.chunk(session_id, message_id, token, 1, offset, piece)
        early.until(lambda frame: frame["type"] == "chunk" and frame["offset"] == 8)
        with server.feed(session_id, after=0) as late:
            frame = late.until(lambda frame: frame["type"] == "answer")
            assert (frame["message_id"], frame["text"], frame["offset"]) == (message_id, "Set the interval", 0)
            assert server_bus.chunk(session_id, message_id, token, 1, 16, " to zero.")
            chunk = late.until(lambda frame: frame["type"] == "chunk" and frame["offset"] >= 16)
            assert chunk["text"] == " to zero."
    assert "".join(chunk["text"] for chunk in early.chunks) == "Set the interval"
    assert [chunk["attempt"] for chunk in early.chunks] == [1, 1]
