"""Where the database ends and the log begins: no event is passed over, whatever the recorders are doing."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable

import pytest
import redis

from pipeline.bus import keys
from pipeline.event import Status
from pipeline.store.events import Filters
from tests.web.site import Site
from web.feed.history import History


def _client(site: Site) -> redis.Redis:
    return redis.Redis.from_url(site.settings.redis_url, socket_timeout=5)


@pytest.mark.parametrize("query", [{}, {"event_type": "agent_*"}], ids=["all", "filtered"])
def test_a_recorder_that_died_with_its_batch_makes_no_gap(
    make_site: Callable[..., Site], session_id: str, query: dict[str, str]
) -> None:
    """While another recorder stores what came later, a poller would step over the batch and never see it."""
    site = make_site()
    ids = site.emit(session_id, 10)
    assert len(site.bus.log.read_new("a recorder that died", 5, 0)) == 5
    site.recorder().run_until_empty()
    assert site.ids(session_id, after=0, **query) == ids
    assert site.ids(session_id, after=ids[2], **query) == ids[3:]
    assert site.ids(session_id, limit=8, **query) == ids[2:]


def test_a_recorder_that_died_between_others_makes_no_gap(make_site: Callable[..., Site], session_id: str) -> None:
    """Of three recorders the middle one's batch would be missing from the page of a client that comes late."""
    site = make_site()
    ids = site.emit(session_id, 5)
    site.recorder().run_until_empty()
    ids += site.emit(session_id, 5)
    assert len(site.bus.log.read_new("a recorder that died", 5, 0)) == 5
    ids += site.emit(session_id, 5)
    site.recorder().run_until_empty()
    ids += site.emit(session_id, 5)
    assert site.ids(session_id, after=0) == ids
    assert site.ids(session_id, limit=20) == ids


def test_a_session_longer_than_its_stream_is_given_whole(make_site: Callable[..., Site], session_id: str) -> None:
    """With the recorder stopped, the beginning of a long session would be missing."""
    site = make_site(SPANFEED_SESSION_STREAM_LIMIT_EVENTS="10")
    ids = site.emit(session_id, 500)
    site.emit("another", 20)
    ids += site.emit(session_id, 20)
    assert _client(site).xlen(keys.session_stream(session_id)) < 300
    assert site.ids(session_id, after=0, limit=500) == ids[:500]
    assert site.ids(session_id, after=ids[5], limit=500) == ids[6:506]
    assert site.ids(session_id, limit=500) == ids[-500:]


def test_a_stream_that_expired_hides_nothing(make_site: Callable[..., Site], session_id: str) -> None:
    """With the recorder stopped for longer than streams are kept, a resuming client would step over the first part."""
    site = make_site()
    ids = site.emit(session_id, 5)
    _client(site).delete(keys.session_stream(session_id))
    ids += site.emit(session_id, 5)
    assert site.ids(session_id, after=0) == ids
    assert site.ids(session_id, after=ids[1]) == ids[2:]


def test_a_stream_that_expired_and_holds_nothing_new_hides_nothing(
    make_site: Callable[..., Site], session_id: str
) -> None:
    """With the recorder stopped for longer than streams are kept, a session would look empty."""
    site = make_site()
    ids = site.emit(session_id, 5)
    _client(site).delete(keys.session_stream(session_id))
    assert site.ids(session_id, after=0) == ids


def test_a_stored_session_is_given_without_its_stream(make_site: Callable[..., Site], session_id: str) -> None:
    """A conversation that is looked at the next day would be empty."""
    site = make_site()
    ids = site.emit(session_id, 5)
    site.recorder().run_until_empty()
    _client(site).flushdb()
    assert site.ids(session_id, limit=500) == ids


@pytest.mark.parametrize("filters", [Filters(), Filters(statuses=("started",))], ids=["all", "filtered"])
def test_a_page_never_has_a_hole_while_recorders_work(make_site: Callable[..., Site], filters: Filters) -> None:
    """A poller would step over events that were stored between two looks, and never see them."""
    site = make_site(SPANFEED_RECORDER_BATCH_LIMIT_EVENTS="7", SPANFEED_RECORDER_BATCH_WAIT_MS="1")
    history = History(site.bus, site.store)
    recorder = site.recorder()
    recording = threading.Thread(target=recorder.run, daemon=True)
    recording.start()
    try:
        for _ in range(20):
            session_id = uuid.uuid4().hex
            appending = threading.Thread(target=site.emit, args=(session_id, 40))
            appending.start()
            seen = 0
            while seen < 40:
                found = [event.seq for event in history.after(session_id, 0, 500, filters)]
                assert found == list(range(1, len(found) + 1))
                newest = [event.seq or 0 for event in history.latest(session_id, 10, filters)]
                assert newest == list(range(newest[0], newest[-1] + 1)) if newest else not found
                seen = len(found)
            appending.join()
    finally:
        recorder.stop()
        recording.join(10)


def test_a_failed_search_is_found_among_what_is_not_stored(make_site: Callable[..., Site], session_id: str) -> None:
    """A filter would look only into one of the two places."""
    site = make_site()
    [first] = site.emit(session_id, 1, "error", status=Status.FAILED)
    site.emit(session_id, 5)
    site.recorder().run_until_empty()
    site.emit(session_id, 5)
    [second] = site.emit(session_id, 1, "error", status=Status.FAILED)
    assert site.ids(session_id, event_status="failed", after=0) == [first, second]
    assert site.ids(session_id, event_status="failed", limit=1) == [second]


def test_more_than_is_read_at_one_moment_is_given_whole(make_site: Callable[..., Site], session_id: str) -> None:
    """A client that comes back after a long answer would miss what lies behind the first events that Redis gives."""
    site = make_site()
    ids = site.emit(session_id, 1_010)
    assert [event.id for event in History(site.bus, site.store).after(session_id, 0, 2_000)] == ids
    with _client(site) as client:
        client.xtrim(keys.session_stream(session_id), maxlen=600, approximate=False)
    history = History(site.bus, site.store)
    assert [event.id for event in history.after(session_id, 0, 2_000)] == ids
    assert [event.id for event in history.after(session_id, ids[100], 2_000)] == ids[101:]
    assert [event.id for event in history.latest(session_id, 2_000)] == ids


@pytest.mark.parametrize("stored", [0, 7, 20], ids=["unstored", "half", "stored"])
@pytest.mark.parametrize("kept", [20, 12], ids=["stream", "log"])
@pytest.mark.parametrize("filters", [Filters(), Filters(event_types=("agent_*",))], ids=["all", "filtered"])
def test_large_events_are_read_a_few_at_a_time(
    make_site: Callable[..., Site], session_id: str, stored: int, kept: int, filters: Filters
) -> None:
    """A reader of a long session would have all of it read for each of its pages, and time out when it is large."""
    site = make_site()
    ids = []
    for number in range(20):
        if number == stored:
            site.recorder().run_until_empty()
        name = "agent_thinking" if number % 2 else "error"
        ids += site.emit(session_id, 1, name, data={"text": "x" * 40_000})
    if stored == len(ids):
        site.recorder().run_until_empty()
    with _client(site) as client:
        client.xtrim(keys.session_stream(session_id), maxlen=kept, approximate=False)
    history, wanted = History(site.bus, site.store), ids[1::2] if filters.event_types else ids
    found: list[int] = []
    cursor, looks, more = 0, 0, True
    while more:
        look = history.look_on(session_id, cursor, 500, 100_000, filters)
        assert len(look.events) <= 2
        assert look.upto > cursor
        found += [event.id for event in look.events]
        cursor, looks, more = look.upto, looks + 1, look.more
    assert found == wanted
    assert looks >= len(wanted) // 2
    assert [event.id for event in history.after(session_id, 0, 500, filters)] == wanted
    assert [event.id for event in history.latest(session_id, 9, filters)] == wanted[-9:]
