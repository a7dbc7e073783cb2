"""The past of feeds across sessions, page by page, wherever its events lie; and who may be told what is read again."""

from __future__ import annotations

import random
from collections.abc import Callable

import orjson
import pytest

from pipeline.catalog import Audience
from pipeline.event import Category
from pipeline.store.events import Filters
from pipeline.unified import UnifiedEvent
from pipeline.unified.event import AUDIENCE
from pipeline.unified.system import Wish as EmitterWish
from tests.web.site import Site
from web.feed import audiences, unified_frames
from web.feed.wide_history import WideHistory
from web.feed.wish import EVERYTHING, Scope, Wish

ANNA = Wish("", 0, None, EVERYTHING, "unified", Scope.USER, "anna")
OPERATORS = Wish("", 0, None, EVERYTHING, "operators", Scope.OPERATORS, "key:main")
SESSION = Wish("s-1", 0, None, EVERYTHING)


def _wire(audience: str | None, user_id: str | None = "anna", seq: int | None = None) -> bytes:
    metadata = {} if audience is None else {"audience": audience}
    return orjson.dumps({"id": 1, "seq": seq, "user_id": user_id, "metadata": metadata})


@pytest.mark.parametrize(
    ("wire", "to_anna", "to_operators"),
    [
        (_wire("user"), True, True),
        (_wire("person"), True, True),
        (_wire("everyone", None), True, True),
        (_wire("everyone", "bert"), True, True),
        (_wire("user", "bert"), False, True),
        (_wire("person", None), False, True),
        (_wire("operator"), False, True),
        (_wire("record"), False, False),
        (_wire("a word of later"), False, False),
        (_wire(None, seq=7), True, True),
        (_wire(None), False, True),
        (_wire(None, "bert", seq=7), False, True),
        (b'{"seq":1,"user_id":"anna","metadata":{"x":{"audience":"everyone"}}}', True, True),
        (b'{"seq":null,"user_id":null,"metadata":{"x":{"audience":"everyone"}}}', False, True),
        (b'{"seq":null,"user_id":"anna","metadata":null}', False, True),
        (b"[]", False, False),
        (b"{", False, False),
    ],
)
def test_who_may_be_told_again(wire: bytes, to_anna: bool, to_operators: bool) -> None:
    """Without this a user could read later what was kept from them at the time."""
    assert audiences.is_for(ANNA, wire) is to_anna
    assert audiences.is_for(OPERATORS, wire) is to_operators
    assert not audiences.is_for(SESSION, wire)


def test_the_word_is_the_one_that_emitters_write() -> None:
    """Without this all that is replayed would look as if nobody had said who may see it."""
    assert audiences.AUDIENCE == AUDIENCE
    assert audiences.marks(ANNA) == (b'"user_id":"anna"', b'"audience":"everyone"')


@pytest.mark.parametrize(
    "wire", [b"{", b"[]", b"{}", b'{"event_type":7}', b'{"event_type":"a\\nid: 9"}', b'{"event_type":"x","metadata":3}']
)
def test_what_is_no_event_stops_nobody(wire: bytes) -> None:
    """Without this one strange entry would end the relay, and with it thousands of feeds."""
    found = unified_frames.event(7, wire, names_user=True)
    assert found == b"" or found.startswith(b"id: 7\nevent: x\ndata: {")
    assert found.count(b"\n") in {0, 4}


def _emit(site: Site, rng: random.Random) -> tuple[int, bool]:
    """One event of some kind; its id, and whether anna may see it."""
    user_id = rng.choice(["anna", "anna", "bert", None])
    audience = rng.choice([*Audience, Audience.USER, Audience.EVERYONE])
    if audience in {Audience.USER, Audience.PERSON} and user_id is None:
        audience = Audience.OPERATOR
    event = UnifiedEvent(Category.REALTIME, rng.choice(["custom.a", "document.b"]), user_id=user_id)
    found = site.state.events.emit_event(event, EmitterWish(audience))
    assert found.log_id is not None
    theirs = audience in {Audience.USER, Audience.PERSON} and user_id == "anna"
    return found.log_id, theirs or audience is Audience.EVERYONE


def _all(history: WideHistory, wish: Wish, limit: int) -> list[int]:
    """All pages, each behind the one before."""
    ids: list[int] = []
    after, more = 0, True
    while more:
        look = history.look_on(wish, after, limit, 10_000_000)
        found, reached, more = look.events, look.upto, look.more
        assert reached > after
        ids += [event.id for event in found]
        assert all(after < event_id <= reached for event_id in ids[len(ids) - len(found) :])
        after = reached
    return ids


@pytest.mark.parametrize("seed", range(3))
def test_pages_hold_everything_once_wherever_it_lies(make_site: Callable[..., Site], seed: int) -> None:
    """Without this an event would be lost or told twice at the seam between the log, the database and two indexes."""
    site, rng = make_site(), random.Random(seed)
    theirs: list[int] = []
    for _ in range(5):
        for _ in range(rng.randrange(1, 25)):
            event_id, is_theirs = _emit(site, rng)
            theirs += [event_id] if is_theirs else []
        if rng.random() < 0.7:
            site.recorder().run_until_empty()
        if rng.random() < 0.5:
            site.bus.log.trim()
        for limit, scan in ((3, 4), (3, 50), (100, 7), (500, 2_000)):
            history = WideHistory(site.bus, site.store, scan)
            assert _all(history, ANNA, limit) == theirs
            only = Wish("", 0, None, Filters(event_types=("document.*",)), "unified", Scope.USER, "anna")
            assert set(_all(history, only, limit)) <= set(theirs)
    with site.store.read():
        assert len(_all(WideHistory(site.bus, site.store, 5), OPERATORS, 4)) >= len(theirs)
