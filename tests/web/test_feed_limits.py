"""How many feeds somebody may have, how often they may try, and which of them are ended: by clock, haste or silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from pipeline import settings as settings_table
from tests.parts.stack import KEY, Stack
from tests.parts.stream_client import StreamClient
from tests.parts.waiting import wait_for
from tests.web.site import Site, assert_problem
from tests.web.wire import CLOSE, HANDSHAKE, PING, PONG, TEXT, Reply, Wire
from web.feed.seats import Claim, Full, Seats
from web.relay.expiries import Expiries

both_ways = pytest.mark.parametrize("way", ["threads", "relay"])


# Places


def _seats(limit: int = 100, **environment: str) -> Seats:
    return Seats(settings_table.load(environment), limit)


@pytest.mark.parametrize(
    ("count", "claim", "full"),
    [
        (50, Claim("s", "", "", "ws"), Full.SESSION),
        (20, Claim("*", "visitor:1", "", "ws"), Full.USER),
        (5, Claim("*", "visitor:1", "", "sse"), Full.USER),
        (200, Claim("*", "", "1.2.3.4", "ws"), Full.ADDRESS),
        (300, Claim("*", "", "", "ws"), Full.PROCESS),
    ],
    ids=str,
)
def test_so_many_feeds_have_a_place(count: int, claim: Claim, full: Full) -> None:
    """Without this one user could take the places of all others, or an application would have too few for its own."""
    seats = _seats(300)
    claims = [Claim(claim.session_id.replace("*", str(n)), claim.user, claim.address, claim.kind) for n in range(301)]
    for one in claims[:count]:
        assert seats.take(one) is None
    assert seats.take(claims[count]) is full
    seats.give_back(claims[0])
    assert seats.take(claims[count]) is None
    for one in claims[1 : count + 1]:
        seats.give_back(one)
    assert (seats.taken, seats._counts) == (0, {})


def test_a_users_streams_and_sockets_are_counted_apart() -> None:
    """Without this five streams would leave a user fewer sockets than were promised."""
    seats = _seats()
    for number in range(20):
        assert seats.take(Claim(f"w{number}", "visitor:1", "", "ws")) is None
    for number in range(5):
        assert seats.take(Claim(f"s{number}", "visitor:1", "", "sse")) is None


def test_a_refusal_leaves_nothing_behind() -> None:
    """Without this a server would forget its places one refusal at a time."""
    seats = _seats(SPANFEED_FEED_SOCKETS_PER_USER_LIMIT="1")
    first = Claim("a", "visitor:1", "1.2.3.4", "ws")
    assert seats.take(first) is None
    assert seats.take(Claim("b", "visitor:1", "5.6.7.8", "ws")) is Full.USER
    seats.give_back(first)
    assert seats._counts == {}


def _opened(stack: Stack, cookie: str) -> tuple[str, str]:
    """A session of a visitor's, and their cookie."""
    headers = {"Origin": stack.url, **({"Cookie": cookie} if cookie else {})}
    reply = httpx.post(f"{stack.url}/page/session", headers=headers)
    return cookie or f"spanfeed_visitor={reply.cookies['spanfeed_visitor']}", reply.json()["session_id"]


@pytest.fixture
def wires() -> Iterator[list[Wire]]:
    """Connections that are closed at the end."""
    opened: list[Wire] = []
    yield opened
    for wire in opened:
        wire.socket.close()


def _told(reply: Reply, whose: str) -> bool:
    return (
        reply.status == 429
        and reply.headers["content-type"] == "application/problem+json"
        and reply.headers["retry-after"] == "5"
        and reply.json["type"] == "urn:spanfeed:problem:too_many_feeds"
        and reply.json["detail"] == f"{whose} too many open feeds."
    )


@both_ways
def test_a_user_has_so_many_sockets_and_streams(hasty: Stack, wires: list[Wire]) -> None:
    """Without this one visitor could take the places of all others, a session after the other."""
    cookie = ""
    sessions = []
    for _ in range(3):
        cookie, session = _opened(hasty, cookie)
        sessions.append(session)

    def knock(session: str) -> Reply:
        wires.append(Wire(hasty.url))
        return wires[-1].upgrade(f"/chat/ws/events/{session}", None, Cookie=cookie, Origin=hasty.url)

    for session in sessions[:2]:
        wait_for(lambda session=session: knock(session).status == 101, "a place for a socket")  # type: ignore[misc]
    wait_for(lambda: _told(knock(sessions[2]), "You have"), "a refusal")

    def listen(session: str) -> Reply:
        wires.append(Wire(hasty.url))
        return wires[-1].request("GET", f"/chat/events/{session}/stream", {"Cookie": cookie})

    wait_for(lambda: listen(sessions[2]).status == 200, "a place for a stream")
    wait_for(lambda: _told(listen(sessions[1]), "You have"), "a refusal")


@both_ways
def test_an_address_has_so_many_feeds(hasty: Stack, wires: list[Wire], session_id: str) -> None:
    """Without this whoever needs no key could take all places; an application's users come from one address."""

    def knock(number: int, key: str | None = None) -> Reply:
        wires.append(Wire(hasty.url))
        return wires[-1].upgrade(f"/chat/ws/events/{session_id[:-1]}{number}", key)

    for number in range(4):
        wait_for(lambda number=number: knock(number).status == 101, "a place for a feed")  # type: ignore[misc]
    # The last places of another test's feeds may be given back only now.
    wait_for(lambda: _told(knock(5), "Your address has"), "a refusal")
    wait_for(lambda: knock(6, KEY).status == 101, "a place for an application")


# Tries


def _try(site: Site, path: str, key: str | None = None, address: str = "") -> int:
    headers = {**HANDSHAKE, **({"X-Forwarded-For": address} if address else {})}
    if path.endswith("/stream"):
        headers = {}
    return site.get(path, key=key, headers=headers).status_code


def test_an_address_may_try_so_often(make_site: Callable[..., Site]) -> None:
    """Without this whoever guesses tokens, or opens and closes, would keep a server busy for all others."""
    site = make_site(SPANFEED_FEED_OPENINGS_PER_MINUTE="4")
    for path in ("/chat/ws/events/a", "/chat/events/a/stream") * 2:
        assert _try(site, path) == 401
    for path in ("/chat/ws/events/a", "/chat/events/a/stream"):
        reply = site.get(path, key=None, headers=HANDSHAKE if "ws" in path else {})
        assert_problem(reply, 429, "too_many_requests")
        assert 0 < int(reply.headers["Retry-After"]) <= 60
    # An application opens them for many users, and is counted by none of them.
    for _ in range(6):
        assert _try(site, "/chat/ws/events/a?after=x", KEY) == 400


def test_behind_a_proxy_each_client_is_counted(make_site: Callable[..., Site]) -> None:
    """Without this all users behind a proxy would share one limit; or anybody could choose an address."""
    site = make_site(SPANFEED_FEED_OPENINGS_PER_MINUTE="1", SPANFEED_TRUSTED_PROXIES="1")
    assert _try(site, "/chat/ws/events/a", address="10.0.0.1") == 401
    assert _try(site, "/chat/ws/events/a", address="10.0.0.2") == 401
    assert _try(site, "/chat/ws/events/a", address="10.9.9.9, 10.0.0.1") == 429


def test_an_address_that_is_only_said_is_not_believed(make_site: Callable[..., Site]) -> None:
    """Without this whoever writes a header would have as many tries as they like."""
    site = make_site(SPANFEED_FEED_OPENINGS_PER_MINUTE="1")
    assert _try(site, "/chat/ws/events/a", address="10.0.0.1") == 401
    assert _try(site, "/chat/ws/events/a", address="10.0.0.2") == 429


# Ends


def _token(stack: Stack, session_id: str) -> str:
    with stack.client() as http:
        return str(http.post(f"/chat/{session_id}/token").json()["token"])


@both_ways
def test_a_feed_ends_with_its_token(brief: Stack, wires: list[Wire], session_id: str) -> None:
    """Without this a token of an hour would be worth a feed of days."""

    def knock() -> bool:
        # On a busy machine a token's few seconds may be over before it is shown.
        token = _token(brief, session_id)
        wires.append(Wire(brief.url))
        return wires[-1].upgrade(f"/chat/ws/events/{session_id}?token={token}", None).status == 101

    wait_for(knock, "a feed", 30)
    assert _answering_pings(wires[-1]) == 4401


def _answering_pings(wire: Wire, pings: int = 1_000) -> int:
    """The code that closes the feed of a client that answers pings, or how many it has answered."""
    answered = 0
    while answered < pings:
        opcode, payload = wire.frame()
        if opcode == CLOSE:
            return int.from_bytes(payload[:2], "big")
        if opcode == PING:
            wire.send_frame(PONG, payload)
            answered += 1
    return answered


@both_ways
def test_a_stream_says_that_its_token_has_ended(brief: Stack, session_id: str) -> None:
    """Without this a browser would come back with a token that is worth nothing."""
    opened: list[StreamClient] = []

    def knock() -> bool:
        opened.append(StreamClient(brief.url, session_id, None, token=_token(brief, session_id)))
        return opened[-1].reply.status == 200

    wait_for(knock, "a stream", 30)
    with opened[-1] as client:
        client.until(lambda message: message.name == "expired")
        with pytest.raises(EOFError):
            client.next()


@both_ways
def test_who_says_too_much_is_closed(brief: Stack, session_id: str) -> None:
    """Without this one client could keep a server busy for all others."""
    with Wire(brief.url) as wire:
        assert wire.upgrade(f"/chat/ws/events/{session_id}").status == 101
        for _ in range(6):
            wire.send_frame(TEXT, b"x")
        assert wire.closing_code() == 4429


@both_ways
def test_only_who_answers_pings_stays(brief: Stack, session_id: str) -> None:
    """Without this clients that went out of reach would keep their places for ever."""
    with Wire(brief.url) as silent, Wire(brief.url) as alive:
        for wire in (silent, alive):
            assert wire.upgrade(f"/chat/ws/events/{session_id}").status == 101
        assert _answering_pings(alive, 3) == 3
        assert _until_the_end(silent).count(PING) == 1


def _until_the_end(wire: Wire) -> list[int]:
    """The kinds of all frames that still come."""
    heard: list[int] = []
    try:
        while True:
            heard.append(wire.frame()[0])
    except (EOFError, ConnectionError):
        return heard


def test_each_end_comes_in_its_second_once() -> None:
    """Without this feeds would outlive their tokens, or be ended before."""
    expiries: Expiries[str] = Expiries(100.5)
    for name, at in {"a": 101.2, "b": 103.0, "c": 90.0, "d": 101.9}.items():
        expiries.set(name, at)
    expiries.set("d", None)
    expiries.set("d", None)
    assert expiries.take_due(101.1) == ["c"]
    assert expiries.take_due(102.0) == ["a"]
    expiries.set("b", 200.0)
    assert expiries.take_due(199.0) == []
    assert expiries.take_due(205.0) == ["b"]
    assert expiries.take_due(500.0) == []
