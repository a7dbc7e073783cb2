"""The core of a feed, with a clock of the test's own: pings, tokens' ends, haste, last words."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Any

import pytest
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import CloseConnection, Message, Ping, Pong, TextMessage

from pipeline import settings as settings_table
from pipeline.store.events import Filters
from tests.web.site import SECRET
from web.access import Rights
from web.feed import frames
from web.feed.followed import Followed
from web.feed.past import Beginning, Page
from web.feed.reader import Reader
from web.feed.tally import Tally
from web.feed.terms import Terms
from web.feed.wish import Wish
from web.tokens import SessionTokens

SETTINGS = settings_table.load({"SPANFEED_SECRET_KEY": SECRET, "SPANFEED_FEED_RETURN_LIMIT_MS": "50"})
TOKENS = SessionTokens(SETTINGS)


class Talk:
    """A reader, and a client that understands what it is told. The clock stands at `now`."""

    def __init__(self, rights: Rights = Rights("key:app"), transport: str = "ws") -> None:
        self.now = 1_000.0
        self.tally = Tally()
        terms = dataclasses.replace(Terms.of(SETTINGS), tally=self.tally)
        wish = Wish("s", None, None, Filters(), transport)
        self.reader = Reader(wish, rights, terms, self.now)
        self._client = Connection(ConnectionType.CLIENT)
        self.reader.greet(self.reader.followed[0], Beginning("1", 7, []), self.now)
        self.sent()

    def sent(self) -> bytes:
        """What goes out, taken by the socket."""
        data = bytes(self.reader.out)
        self.reader.sent(len(data), self.now)
        return data

    def told(self) -> list[Any]:
        """What the client is told: texts as JSON, else the protocol's own messages."""
        self._client.receive_data(self.sent())
        events = list(self._client.events())
        return [json.loads(event.data) if isinstance(event, TextMessage) else event for event in events]

    def say(self, *said: Any) -> None:
        """The client says something: JSON, or a message of the protocol."""
        for one in said:
            event = one if isinstance(one, Ping | Pong | Message) else TextMessage(data=json.dumps(one))
            self.reader.receive(self._client.send(event), self.now)

    def pass_time(self, seconds: float) -> None:
        """Time goes on, and the clock is looked at."""
        self.now += seconds
        self.reader.look_at_the_clock(self.now)

    def closed(self) -> int:
        """With which code the feed was closed."""
        [last] = [event for event in self.told() if isinstance(event, CloseConnection)]
        return int(last.code)


# Pings


def test_who_answers_pings_stays() -> None:
    """Without this every silent page would lose its feed after a minute."""
    talk = Talk()
    for _ in range(10):
        talk.pass_time(25)
        assert any(isinstance(event, Ping) for event in talk.told())
        talk.now += 1
        talk.say(Pong(payload=b""))
    assert not talk.reader.lost


def test_who_answers_no_ping_is_given_up() -> None:
    """Without this a telephone that went out of reach would keep its place for ever."""
    talk = Talk()
    talk.pass_time(25)
    talk.pass_time(24)
    assert not talk.reader.lost
    talk.pass_time(1)
    assert talk.reader.lost
    assert talk.tally["half_open"] == 1


def test_who_has_not_read_all_is_not_given_up_for_a_ping() -> None:
    """Without this a slow reader would lose its feed for not answering what it cannot have seen yet."""
    talk = Talk()
    talk.reader.queue(b"what it has not taken", talk.now)
    for _ in range(3):
        talk.pass_time(25)
    assert bytes(talk.reader.out).count(b"\x89\x00") == 0
    assert not talk.reader.lost


def test_who_speaks_is_not_pinged() -> None:
    """Without this a talkative client would be asked all the time whether it is there."""
    talk = Talk()
    for _ in range(5):
        talk.pass_time(20)
        talk.say({"type": "ping"})
    assert not any(isinstance(event, Ping) for event in talk.told())


def test_a_stream_is_never_pinged() -> None:
    """Without this an event stream would carry bytes that no browser understands."""
    talk = Talk(transport="sse")
    talk.pass_time(200)
    assert talk.sent() == b": keepalive\n\n"
    talk.pass_time(200)
    assert not talk.reader.lost


# Tokens


def _rights(seconds: float, session_id: str = "s", owner: str = "key:app") -> Rights:
    return Rights(owner, session_id, expires_at=time.time() + seconds)


def test_a_feed_ends_with_its_token() -> None:
    """Without this a token that was given for an hour would be worth a feed for days."""
    talk = Talk(_rights(60))
    talk.pass_time(59)
    assert not talk.reader.closing
    talk.pass_time(2)
    assert talk.closed() == 4401
    assert talk.tally["closed:4401"] == 1


def test_a_stream_says_that_its_token_has_ended() -> None:
    """Without this a browser would come back with the same token, and be refused, again and again."""
    talk = Talk(_rights(60), "sse")
    talk.pass_time(61)
    assert b"event: expired\ndata: {" in talk.sent()
    assert talk.reader.closing


@pytest.mark.parametrize("rights", [Rights("key:main"), Rights("visitor:1", owns_only=True), Rights()], ids=str)
def test_what_has_no_end_does_not_end(rights: Rights) -> None:
    """Without this the feeds of applications and visitors would break off."""
    talk = Talk(rights)
    talk.pass_time(100_000)
    assert not talk.reader.closing


def test_a_new_token_prolongs_the_feed() -> None:
    """Without this a page would lose its feed each hour."""
    talk = Talk(_rights(60))
    token = TOKENS.make("s", "key:app")
    talk.say({"type": "token", "token": token})
    [answer] = talk.told()
    assert answer["type"] == "token_accepted"
    assert abs(answer["expires_at"] - time.time() - SETTINGS.token_ttl_seconds) < 60
    talk.pass_time(61)
    assert not talk.reader.closing
    talk.pass_time(SETTINGS.token_ttl_seconds)
    assert talk.closed() == 4401


@pytest.mark.parametrize(("session_id", "owner"), [("another", "key:app"), ("s", "visitor:2")])
def test_anothers_token_prolongs_nothing(session_id: str, owner: str) -> None:
    """Without this a feed would stay open on the word of somebody whom it was not opened for."""
    talk = Talk(_rights(60))
    for token in (TOKENS.make(session_id, owner), "nonsense"):
        talk.say({"type": "token", "token": token})
        assert talk.told() == [{"type": "token_refused"}]
    talk.pass_time(61)
    assert talk.closed() == 4401


def test_a_token_prolongs_the_further_session_that_it_opened() -> None:
    """Without this the sessions that were added to a feed would fall out of it one by one."""
    talk = Talk()
    talk.reader.followed.append(Followed(Wish("t", None, None, Filters()), True, "key:app", talk.now + 60))
    assert [one.wish.session_id for one in talk.reader.take_expired(talk.now + 60)] == ["t"]
    talk.say({"type": "token", "token": TOKENS.make("t", "key:app")})
    assert talk.told()[0]["type"] == "token_accepted"
    assert talk.reader.take_expired(talk.now + 60) == []
    assert talk.reader.next_expiry is not None


def test_without_a_secret_no_token_is_read() -> None:
    """Without this anybody could sign tokens for a relay that was started without the secret."""
    nameless = SessionTokens(settings_table.load({}))
    assert nameless.read(nameless.make("s", "key:app")) is None


# Haste


@pytest.mark.parametrize("said", [{"type": "ping"}, {"x": 1}, Ping(payload=b""), Pong(payload=b"")], ids=str)
def test_who_says_too_much_is_closed(said: Any) -> None:
    """Without this one client could keep a server busy for all others."""
    talk = Talk()
    talk.say(*[said] * 50)
    assert not talk.reader.closing
    talk.say(said)
    assert talk.closed() == 4429


def test_pieces_count_as_frames() -> None:
    """Without this a message of endless empty pieces would get round the limit."""
    talk = Talk()
    talk.say(*[TextMessage(data="", message_finished=False)] * 51)
    assert talk.closed() == 4429


def test_who_speaks_steadily_stays() -> None:
    """Without this a client that says ten things a second would be thrown out some time."""
    talk = Talk()
    for _ in range(1_000):
        talk.now += 0.1
        talk.say({"type": "unknown"})
    assert not talk.reader.closing
    assert talk.tally["not_understood"] == 1_000


# Last words


def test_clients_come_back_at_different_moments() -> None:
    """Without this all clients would come back at the same moment, and the next server would fall, too."""
    pauses = set()
    for _ in range(60):
        talk = Talk()
        talk.reader.end_for_now("the server restarts")
        [last] = talk.told()
        assert last.code == 1012
        before, _, after = last.reason.partition("the server restarts, try again in ")
        assert before == ""
        pauses.add(int(after.removesuffix(" ms")))
    assert len(pauses) > 10
    assert max(pauses) <= 50


def test_the_last_words_to_who_never_reads_tear_no_frame() -> None:
    """Without this who reads on at the last moment would find a frame inside another."""
    talk = Talk()
    talk.say({"type": "ping"})
    talk.reader.sent(3, talk.now)
    rest = bytes(talk.reader.out)
    talk.now += 16
    assert talk.reader.is_stuck(talk.now)
    talk.reader.give_up()
    assert bytes(talk.reader.out).startswith(rest + b"\x88")


# What cannot be read


def test_a_page_that_may_have_a_hole_is_asked_for_again() -> None:
    """Without this a feed whose server missed one answer of Redis would pass over events for ever."""
    talk = Talk()
    [followed] = talk.reader.followed
    followed.fall_behind(talk.now)
    followed.turn(Page(7, [], 7, more=False, complete=False), talk.now)
    assert not followed.is_live
    assert followed.catch_up_at is not None
    assert talk.now < followed.catch_up_at < talk.now + 5
    followed.turn(Page(7, [], 7, more=False), talk.now)
    assert followed.is_live


@pytest.mark.parametrize("length", [60, 125, 126, 700, 65_535, 65_536, 100_000])
def test_an_event_is_one_whole_frame_at_each_length(length: int) -> None:
    """A client's connection would break at the first event whose frame is of the next larger form."""
    around = len(b'{"type":"event","event":{"x":""}}')
    wire = b'{"x":"%b"}' % (b"y" * (length - around))
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(frames.event(wire) + frames.text(b"{}"))
    told = "".join(event.data for event in client.events() if isinstance(event, TextMessage))
    assert told == '{"type":"event","event":' + wire.decode() + "}{}"
    assert len(told) == length + 2
