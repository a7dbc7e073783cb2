"""What pollers share and what they may keep: pages that are never stale, tags, 304 and 406."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.event import Status
from tests.web.site import APP_KEY, Site, assert_problem
from web.blueprints.events import polling
from web.feed.page_cache import PageCache
from web.feed.polls import Page, Polls

ROUTES = ["", "/latest", "/snapshot"]


def _polls(site: Site) -> Polls:
    with site.app.app_context():
        return polling().long_polls.polls


def _page(text: str = "x", lasts: bool = True) -> Page:
    return Page(text.encode(), text, True, lasts)


class Reads:
    """Counts how often a page was read from where it lies."""

    def __init__(self, page: Page) -> None:
        self.page, self.count = page, 0

    def __call__(self) -> Page:
        """Reads it."""
        self.count += 1
        return self.page


def _cache(entries: int = 10, size: int = 1_000_000, seconds: float = 60) -> PageCache[Page]:
    return PageCache(entries, size, seconds)


def test_a_page_is_read_once_while_its_mark_is_the_same() -> None:
    """Without this a thousand clients on one session would cost a thousand readings of the database."""
    cache, read = _cache(), Reads(_page())
    for mark, count in [("1", 1), ("1", 1), ("2", 2), ("2", 2), ("1", 3)]:
        assert cache.give("k", mark, read) is read.page
        assert read.count == count


@pytest.mark.parametrize("cache", [_cache(seconds=0), _cache(size=10), _cache(entries=0)], ids=["old", "large", "none"])
def test_what_may_not_be_kept_is_read_again(cache: PageCache[Page]) -> None:
    """Without this events whose retention is over would still be given, or the memory of the server run full."""
    read = Reads(_page())
    assert [cache.give("k", "1", read) for _ in range(2)] == [read.page] * 2
    assert read.count == 2
    assert cache.size <= 10


def test_what_was_read_without_redis_is_not_kept() -> None:
    """Without this a page with holes would be given as whole once Redis is back."""
    cache, read = _cache(), Reads(_page(lasts=False))
    cache.give("k", "1", read)
    cache.give("k", "1", read)
    assert (read.count, len(cache)) == (2, 0)


def test_the_cache_is_bounded_by_entries_and_bytes() -> None:
    """Without this a stranger with many cursors would fill the server's memory."""
    few = _cache(entries=3)
    for number in range(10):
        few.give(number, "1", Reads(_page("x" * 10)))
    assert (len(few), few.size) == (3, 3 * _page("x" * 10).size)
    read = Reads(_page())
    few.give(9, "1", read)
    assert read.count == 0
    small = _cache(size=5_000)
    for number in range(10):
        small.give(number, "1", Reads(_page("x" * 1_000)))
        assert small.size <= 5_000
    assert len(small) == 2


def test_who_asks_for_a_page_that_is_being_read_waits_for_it() -> None:
    """Without this each new event would be read as often as there are clients that wait for it."""
    cache, read = _cache(), Reads(_page())
    reading, go_on = threading.Event(), threading.Event()

    def slow() -> Page:
        reading.set()
        assert go_on.wait(20)
        return read()

    given: list[Page] = []
    threads = [threading.Thread(target=lambda: given.append(cache.give("k", "1", slow)))]
    threads[0].start()
    assert reading.wait(20)
    threads += [threading.Thread(target=lambda: given.append(cache.give("k", "1", read))) for _ in range(3)]
    for thread in threads[1:]:
        thread.start()
    # Whoever knows of something newer does not wait for what is older.
    newer = Reads(_page("newer"))
    assert cache.give("k", "2", newer) is newer.page
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert given == [read.page] * 4
    assert read.count == 1


def test_a_failed_reading_fails_for_its_own_client_only() -> None:
    """Without this one fault of the database would be told to many, or keep the page from being read again."""
    cache, read = _cache(), Reads(_page())

    def fail() -> Page:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cache.give("k", "1", fail)
    assert cache.give("k", "1", read) is read.page


@pytest.mark.parametrize("query", [{}, {"after": 0}, {"since": "2020-01-01"}, {"limit": 3}, {"event_type": "agent_*"}])
@pytest.mark.parametrize("stored", [False, True], ids=["live", "stored"])
def test_an_event_between_two_polls_is_in_the_second(
    site: Site, session_id: str, query: dict[str, Any], stored: bool
) -> None:
    """Without this a poller would be given what was true before."""
    ids: list[int] = []
    for _ in range(4):
        ids += site.emit(session_id)
        if stored:
            site.recorder().run_until_empty()
        for _ in range(2):
            assert site.ids(session_id, **query) == (ids[-3:] if "limit" in query else ids)
            assert [
                event["id"] for event in (site.get(f"/chat/events/{session_id}/latest").json or {})["events"]
            ] == ids
    assert len(_polls(site).cache) > 0


def test_polls_of_one_page_do_not_read_it_again(make_site: Callable[..., Site], session_id: str) -> None:
    """Without this a thousand clients would cost a thousand readings: here the database is gone, the page is not."""
    site = make_site()
    ids = site.emit(session_id, 3)
    site.recorder().run_until_empty()
    assert site.ids(session_id, after=ids[0]) == ids[1:]
    site.store.close()
    (site.settings.home_path / "spanfeed.db").unlink()
    assert site.ids(session_id, after=ids[0]) == ids[1:]
    assert_problem(site.get(f"/chat/events/{session_id}", query_string={"after": ids[1]}), 503)


def test_two_web_processes_give_the_same_page_at_any_moment(make_site: Callable[..., Site], session_id: str) -> None:
    """Without this a client whose polls go to several servers would step back in time, or miss an event."""
    first, second = make_site(), make_site()
    ids: list[int] = []
    for number in range(6):
        writer = (first, second)[number % 2]
        ids += writer.emit(session_id)
        if number == 3:
            first.recorder().run_until_empty()
        replies = [site.get(f"/chat/events/{session_id}", query_string={"after": 0}) for site in (first, second)]
        assert [[event["id"] for event in (reply.json or {})["events"]] for reply in replies] == [ids, ids]
        assert replies[0].headers["ETag"] == replies[1].headers["ETag"]
        assert first.ids(session_id, after=ids[-1]) == second.ids(session_id, after=ids[-1]) == []


def test_a_log_that_began_anew_leaves_no_old_page(make_site: Callable[..., Site], session_id: str) -> None:
    """Without this a page of a log that is gone would be given when the numbers happen to be the same again."""
    import redis

    site = make_site()
    old = site.emit(session_id, 2)
    assert site.ids(session_id, after=0) == old
    with redis.Redis.from_url(site.settings.redis_url) as client:
        client.flushdb()
    new = site.emit(session_id, 2)
    assert site.ids(session_id, after=0) == new


def test_a_kept_page_is_not_given_to_whoever_may_not_read(site: Site, session_id: str) -> None:
    """Without this a stranger could read what an application has just asked for."""
    site.emit(session_id)
    foreign = site.post(f"/chat/{session_id}-other/token", json={}).json or {}
    for route in ROUTES:
        assert site.get(f"/chat/events/{session_id}{route}").status_code == 200
        assert_problem(site.get(f"/chat/events/{session_id}{route}", key=None), 401)
        assert_problem(site.get(f"/chat/events/{session_id}{route}", key=foreign["token"]), 404)
        tag = site.get(f"/chat/events/{session_id}{route}").headers["ETag"]
        reply = site.get(f"/chat/events/{session_id}{route}", key=foreign["token"], headers={"If-None-Match": tag})
        assert_problem(reply, 404)


@pytest.mark.parametrize("route", ROUTES)
def test_an_unchanged_page_is_not_sent_again(site: Site, session_id: str, route: str) -> None:
    """Without this every poll of a page that stands still would carry all its events."""
    site.emit(session_id, 3)
    path = f"/chat/events/{session_id}{route}"
    first = site.get(path)
    tag = first.headers["ETag"]
    assert tag.startswith('W/"')
    for sent in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        reply = site.get(path, headers={"If-None-Match": sent})
        assert (reply.status_code, reply.data, reply.headers["ETag"]) == (304, b"", tag)
        assert "Content-Type" not in reply.headers
        for name in ("Cache-Control", "Vary"):
            assert reply.headers[name] == first.headers[name]
    assert first.headers["Cache-Control"] == "no-cache, private"
    assert {"Accept", "Authorization", "X-API-Key", "Cookie"} == set(first.headers["Vary"].split(", "))
    assert site.get(path, key=APP_KEY).headers["ETag"] == tag
    for sent in ('"other"', "garbage", "W/", '"', "\xff"):
        assert site.get(path, headers={"If-None-Match": sent}).status_code == 200
    site.emit(session_id)
    changed = site.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


def test_another_question_has_another_tag(site: Site, session_id: str) -> None:
    """Without this a client would take what it has for the answer to a question it has not asked."""
    ids = site.emit(session_id, 3)
    site.emit(session_id, 1, "error", status=Status.FAILED)
    queries: list[dict[str, Any]] = [
        {},
        {"limit": 2},
        {"after": ids[0]},
        {"after": ids[1]},
        {"event_type": "error"},
        {"after": ids[-1] + 10**12},
    ]
    tags = [site.get(f"/chat/events/{session_id}", query_string=query).headers["ETag"] for query in queries]
    tags.append(site.get(f"/chat/events/{session_id}-other").headers["ETag"])
    assert len(set(tags)) == len(tags)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("accepted", ["application/xml", "text/html", "application/json;q=0", "text/event-stream"])
def test_who_takes_no_json_is_told_so(site: Site, route: str, accepted: str) -> None:
    """Without this a client would try to read JSON as something else."""
    assert_problem(site.get(f"/chat/events/s{route}", headers={"Accept": accepted}), 406, "not_acceptable")


@pytest.mark.parametrize("accepted", ["", "*/*", "application/*", "text/html, */*;q=0.1", "application/json"])
def test_who_takes_json_among_others_is_given_it(site: Site, accepted: str) -> None:
    """Without this a browser or an old client would be shut out."""
    assert site.get("/chat/events/s", headers={"Accept": accepted}).status_code == 200
