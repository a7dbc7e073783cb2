"""What is given when Redis is away, or holds an event twice: only what is surely whole, and nothing again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from pipeline.bus import keys
from pipeline.store.events import Filters
from tests.parts.redis_part import RedisPart
from tests.web.site import Site
from web.feed.history import History


@pytest.mark.parametrize("filters", [Filters(), Filters(statuses=("started",))], ids=["all", "filtered"])
def test_without_redis_a_page_ends_before_what_is_not_stored(
    make_site: Callable[..., Site], valkey: RedisPart, session_id: str, filters: Filters
) -> None:
    """A client that catches up while Redis is away would step over what a recorder still holds, and never see it."""
    site = make_site(REDIS_URL=valkey.url)
    history = History(site.bus, site.store)
    ids = site.emit(session_id, 5)
    site.recorder().run_until_empty()
    ids += site.emit(session_id, 5)
    assert len(site.bus.log.read_new("a recorder that holds its batch", 5, 0)) == 5
    ids += site.emit(session_id, 5)
    site.recorder().run_until_empty()

    def given(after: int) -> list[int]:
        return [event.id for event in history.after(session_id, after, 500, filters)]

    assert given(0) == ids
    assert history.look_after(session_id, 0, 500, filters).complete
    valkey.stop(kill=True)
    assert given(0) == ids[:5]
    # A feed that takes this for the whole would go on with what is announced next.
    assert not history.look_after(session_id, 0, 500, filters).complete
    assert given(ids[2]) == ids[3:5]
    assert given(ids[4]) == []
    valkey.start()
    assert given(ids[4]) == ids[5:]


def test_an_event_that_the_log_holds_twice_is_given_once(make_site: Callable[..., Site], session_id: str) -> None:
    """A poller would be told something old behind something new, and a page would show it twice."""
    site = make_site()
    ids = site.emit(session_id, 5)
    with redis.Redis.from_url(site.settings.redis_url, socket_timeout=5) as client:
        client.delete(keys.session_stream(session_id))
        [(_, first), *_] = client.xrange(keys.LOG)
        client.xadd(keys.LOG, first)
        ids += site.emit(session_id, 5)
        client.delete(keys.session_stream(session_id))
    assert site.ids(session_id, after=0) == ids
    assert site.ids(session_id, after=ids[4]) == ids[5:]


@pytest.mark.parametrize("rest", ["", "}", ',"id":{"a":1}}'], ids=["cut", "no id", "wrong id"])
def test_an_entry_that_is_no_event_holds_no_feed_up(make_site: Callable[..., Site], session_id: str, rest: str) -> None:
    """One broken entry would break the session's feed until a recorder has taken it away."""
    site = make_site()
    ids = site.emit(session_id, 3)
    with redis.Redis.from_url(site.settings.redis_url, socket_timeout=5) as client:
        client.xadd(keys.LOG, {"e": f'{{"session_id":"{session_id}"{rest}'})
        client.delete(keys.session_stream(session_id))
    assert site.ids(session_id, after=0) == ids
