"""Polls that wait: woken by an event, and answered at once when waiting would be of no use."""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from werkzeug.test import TestResponse

from pipeline.bus import open_bus
from pipeline.bus.keys import session_channel
from pipeline.event import Status
from tests.parts.redis_part import RedisPart
from tests.parts.stack import KEY, NO_TLS, Stack
from tests.parts.waiting import wait_for
from tests.web.site import APP_KEY, Site, assert_problem, emit
from web.blueprints import feed
from web.blueprints.events import polling
from web.feed.listener import Mailbox
from web.feed.long_polls import LongPolls
from web.feed.polls import Ask, Page, Polls
from web.feed.seats import Claim

LONG = 20
"""A wait that no test may last: each ends long before, or has failed."""


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads that poll while the test goes on."""
    with ThreadPoolExecutor(8) as made:
        yield made


def _long_polls(site: Site) -> LongPolls:
    with site.app.app_context():
        return polling().long_polls


class Poller:
    """Polls in a thread of its own."""

    def __init__(self, site: Site, pool: ThreadPoolExecutor, session_id: str) -> None:
        self._site, self._pool, self._path = site, pool, f"/chat/events/{session_id}"

    def begin(self, headers: dict[str, str] | None = None, **query: Any) -> Future[TestResponse]:
        """A poll that waits, as the server has it, when this returns."""
        before = _long_polls(self._site).waits.count
        query = {"wait": LONG, **query}
        answer = self._pool.submit(self._site.get, self._path, query_string=query, headers=headers or {})
        wait_for(lambda: _long_polls(self._site).waits.count > before or answer.done(), "the waiting poll")
        return answer


@pytest.fixture
def poller(site: Site, pool: ThreadPoolExecutor, session_id: str) -> Poller:
    """A poller of the test's session."""
    return Poller(site, pool, session_id)


def _ids(answer: Future[TestResponse]) -> list[int]:
    reply = answer.result(LONG)
    assert reply.status_code == 200, reply.text
    return [event["id"] for event in (reply.json or {})["events"]]


@pytest.mark.parametrize("cursor", ["after", "since"])
def test_a_waiting_poll_is_answered_by_the_next_event(site: Site, poller: Poller, session_id: str, cursor: str) -> None:
    """Without this a client behind a proxy that only knows plain requests would learn of a stage a second late."""
    [before] = site.emit(session_id)
    value = before if cursor == "after" else site.page(session_id)["events"][0]["timestamp"]
    answer = poller.begin(**{cursor: value})
    assert not answer.done()
    ids = site.emit(session_id)
    assert _ids(answer) == ids
    assert "X-Wait-Cut" not in answer.result().headers


def test_what_is_there_already_is_given_at_once(site: Site, session_id: str) -> None:
    """Without this a client that is behind would wait for each page of what it has missed."""
    ids = site.emit(session_id, 3)
    began = time.monotonic()
    assert site.ids(session_id, after=ids[0], wait=LONG) == ids[1:]
    assert time.monotonic() - began < LONG / 2


class Interrupted(Polls):
    """Polls after whose first look something happens."""

    def __init__(self, site: Site, then: Callable[[], None]) -> None:
        super().__init__(site.settings, site.bus, site.store)
        self._then = [then]

    def page(self, ask: Ask) -> Page:
        """The page as it was before."""
        found = super().page(ask)
        while self._then:
            self._then.pop()()
        return found


def test_an_event_between_the_first_look_and_the_subscription_is_not_missed(site: Site, session_id: str) -> None:
    """Without this a poll could sleep for its whole time over an event that is there."""
    [after] = site.emit(session_id)
    other = Mailbox(1_000_000, lambda: None)
    with site.state.listener.following(session_channel(session_id), other):
        assert other.take() == ([], False)

        def announce() -> None:
            site.emit(session_id)
            wait_for(lambda: other.take()[0], "the announcement, which the poll cannot hear yet")

        long_polls = LongPolls(site.settings, Interrupted(site, announce), site.state.listener, lambda: 0)
        page, _ = long_polls.page(Ask(session_id, after, 50), LONG)
    assert page.has_news


def test_who_follows_hears_what_comes_before_they_have_looked(site: Site, session_id: str) -> None:
    """Without this a piece of an answer, which is kept nowhere, could be lost at a feed's beginning."""
    for _ in range(20):
        mailbox, channel = Mailbox(1_000_000, lambda: None), f"{session_id}-{uuid.uuid4()}"
        with site.state.listener.following(session_channel(channel), mailbox):
            [event_id] = site.emit(channel)
            found: list[int] = []
            wait_for(lambda found=found, mailbox=mailbox: found.extend(_heard(mailbox)) or found, "the event")  # type: ignore[misc]
            assert found == [event_id]


def test_what_a_reader_misses_is_told_before_they_look(site: Site, session_id: str) -> None:
    """Without this an operator would learn that a client is too slow only once it reads again."""
    told: list[str] = []
    mailbox = Mailbox(1_000, lambda: None, lambda: told.append("missed"))
    with site.state.listener.following(session_channel(session_id), mailbox):
        mailbox.begin()
        assert told == []
        site.emit(session_id, 3, data={"text": "x" * 600})
        wait_for(lambda: told, "word of what was missed")
        assert told == ["missed"]
    assert mailbox.take() == ([], True)


def _heard(mailbox: Mailbox) -> list[int]:
    frames, behind = mailbox.take()
    assert not behind
    return [frame.id for frame in frames]


def test_a_wait_ends_with_an_empty_page_and_the_same_cursor(site: Site, session_id: str) -> None:
    """Without this a client would not know how to go on when nothing has happened."""
    ids = site.emit(session_id)
    began = time.monotonic()
    page = site.page(session_id, after=ids[-1], wait=1)
    assert 0.9 <= time.monotonic() - began < LONG
    assert (page["events"], page["has_more"], page["next_after"]) == ([], False, ids[-1])


def test_only_an_event_that_passes_the_filters_ends_the_wait(site: Site, poller: Poller, session_id: str) -> None:
    """Without this a client that waits for errors would be answered with nothing at every stage."""
    [after] = site.emit(session_id)
    answer = poller.begin(after=after, event_type="err*", event_status="failed")
    site.emit(session_id, 3)
    site.emit(session_id, 1, "error", status=Status.STARTED)
    wanted = site.emit(session_id, 1, "error", status=Status.FAILED)
    assert _ids(answer) == wanted


def test_another_sessions_event_ends_no_wait(site: Site, poller: Poller, session_id: str) -> None:
    """Without this every poll would be answered whenever anybody asks something."""
    [after] = site.emit(session_id)
    answer = poller.begin(after=after)
    site.emit(f"{session_id}-other", 3)
    ids = site.emit(session_id)
    assert _ids(answer) == ids


def test_a_reset_is_told_at_once(site: Site, session_id: str) -> None:
    """Without this a client with a cursor that is worth nothing would learn so only after its whole wait."""
    [last] = site.emit(session_id)
    for query in ({"after": last, "epoch": "1"}, {"after": last + 3_600_000_000}):
        began = time.monotonic()
        assert site.page(session_id, wait=LONG, **query)["reset"] is True
        assert time.monotonic() - began < LONG / 2


@pytest.mark.parametrize("value", ["-1", "26", "1.5", "abc", "", "1_0", "\u0661", "9" * 5_000])
def test_a_wait_out_of_range_is_refused(site: Site, value: str) -> None:
    """Without this one request could hold a thread of the server for as long as it likes."""
    detail = assert_problem(site.get("/chat/events/s", query_string={"after": 0, "wait": value}), 422, "out_of_range")
    assert detail[0]["loc"] == ["query", "wait"]


def test_a_wait_without_a_cursor_is_refused(site: Site) -> None:
    """Without this a client would wait for what it has not named, and be given what is old."""
    detail = assert_problem(site.get("/chat/events/s", query_string={"wait": 1}), 422, "no_cursor")
    assert detail[0]["loc"] == ["query", "wait"]
    assert site.get("/chat/events/s", query_string={"wait": 0}).status_code == 200


def test_an_unchanged_page_is_not_sent_again_after_a_wait(site: Site, poller: Poller, session_id: str) -> None:
    """Without this a client on a mobile network would pay for each empty page."""
    [after] = site.emit(session_id)
    tag = site.get(f"/chat/events/{session_id}", query_string={"after": after}).headers["ETag"]
    headers = {"If-None-Match": tag}
    reply = site.get(f"/chat/events/{session_id}", query_string={"after": after, "wait": 1}, headers=headers)
    assert (reply.status_code, reply.data, reply.headers["ETag"]) == (304, b"", tag)
    answer = poller.begin(headers, after=after)
    ids = site.emit(session_id)
    assert _ids(answer) == ids


def test_waiting_polls_never_take_the_last_threads(
    make_site: Callable[..., Site], pool: ThreadPoolExecutor, session_id: str
) -> None:
    """Without this a handful of pollers could keep everybody else from being answered."""
    site = make_site(SPANFEED_WEB_THREADS="8", SPANFEED_POLL_WAITS_LIMIT="2")
    poller = Poller(site, pool, session_id)
    [after] = site.emit(session_id)
    waiting = [poller.begin(after=after) for _ in range(2)]
    reply = site.get(f"/chat/events/{session_id}", query_string={"after": after, "wait": LONG})
    assert (reply.status_code, reply.headers["X-Wait-Cut"]) == (200, "busy")
    assert (reply.json or {})["events"] == []
    ids = site.emit(session_id)
    assert [_ids(answer) for answer in waiting] == [ids, ids]
    assert _long_polls(site).waits.count == 0


def test_waiting_polls_leave_when_feeds_need_the_threads(
    make_site: Callable[..., Site], pool: ThreadPoolExecutor, session_id: str
) -> None:
    """Without this a server without a relay would stand still when pages come back while others poll."""
    site = make_site(SPANFEED_WEB_THREADS="8")
    [after] = site.emit(session_id)
    answer = Poller(site, pool, session_id).begin(after=after)
    claim = Claim(session_id, "", "", "ws")
    with site.app.app_context():
        seats = feed.seats()
    for _ in range(6):
        assert seats.take(claim) is None
    try:
        assert answer.result(LONG).headers["X-Wait-Cut"] == "busy"
        reply = site.get(f"/chat/events/{session_id}", query_string={"after": after, "wait": LONG})
        assert reply.headers["X-Wait-Cut"] == "busy"
    finally:
        for _ in range(6):
            seats.give_back(claim)


@pytest.fixture
def stack(make_stack: Callable[..., Stack]) -> Stack:
    """A web server of two processes on a Redis of its own."""
    return make_stack(SPANFEED_WEB_PROCESSES="2", GOVSTACK_API_KEY=APP_KEY).start(worker=False, recorder=False)


def _poll(stack: Stack, session_id: str, **query: Any) -> httpx.Response:
    address = f"{stack.url}/chat/events/{session_id}"
    return httpx.get(address, params=query, headers={"X-API-Key": KEY}, timeout=LONG + 10, verify=NO_TLS)


def test_real_servers_wake_their_pollers_and_let_go_of_them(
    stack: Stack, valkey: RedisPart, pool: ThreadPoolExecutor, session_id: str
) -> None:
    """Without this an outage of Redis would be an error to pollers, and a deployment would cut them off."""
    bus = open_bus(stack.settings())
    [after] = emit(bus, session_id)

    def begin() -> Future[httpx.Response]:
        wait_for(lambda: _followers(valkey, session_id) == 0, "the end of the last poll")
        begun = pool.submit(_poll, stack, session_id, after=after, wait=LONG)
        wait_for(lambda: _followers(valkey, session_id) == 1, "a server that follows the session")
        return begun

    waiting = begin()
    ids = emit(bus, session_id)
    assert [event["id"] for event in waiting.result(LONG).json()["events"]] == ids
    after = ids[-1]
    waiting = begin()
    valkey.stop(kill=True)
    reply = waiting.result(LONG)
    assert (reply.status_code, reply.json()["events"], reply.json()["epoch"]) == (200, [], None)
    assert reply.headers["X-Wait-Cut"] == "redis"
    valkey.start()
    wait_for(lambda: _poll(stack, session_id, after=after).json()["epoch"], "Redis behind the server")
    waiting = begin()
    stack.processes["web"].send_signal(signal.SIGTERM)
    reply = waiting.result(LONG)
    assert (reply.status_code, reply.headers["X-Wait-Cut"]) == (200, "restart")
    assert reply.json()["next_after"] == after
    bus.close_connections()


def _followers(valkey: RedisPart, session_id: str) -> int:
    import redis

    with redis.Redis.from_url(valkey.url) as client:
        [(_, count)] = client.pubsub_numsub(session_channel(session_id))
    return int(count)
