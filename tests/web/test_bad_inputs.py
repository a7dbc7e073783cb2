"""What each door answers to bad input, one table: nothing is an error of the server, and nothing refused is stored."""

from __future__ import annotations

import dataclasses
import json
import uuid
from typing import Any

import pytest
from sqlalchemy import func, select

from pipeline.store import conversations
from pipeline.store.models import api_keys, messages, sessions
from tests.parts.stack import KEY, Stack
from tests.web.site import ADMIN_KEY, APP_KEY, Site, assert_problem
from tests.web.wire import HANDSHAKE, Wire
from web.auth import COOKIE
from web.keyring import Locksmith

JSON = {"Content-Type": "application/json"}
HELLO = b'{"message":"hello"}'
MINE, FOREIGN, UNKNOWN = "mine", "somebody-elses", "nobodys"


@dataclasses.dataclass(frozen=True)
class Case:
    """One input. `row` is its line in the table of doors; `who` is a key, a kind of stored key, or None."""

    row: int
    name: str
    method: str
    path: str
    status: int
    slug: str = ""
    who: str | None = KEY
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: bytes | None = None
    pointer: str = ""

    def __str__(self) -> str:
        return f"{self.row}: {self.name}"


def _chat(row: int, name: str, body: bytes, status: int, slug: str = "", pointer: str = "", **headers: str) -> Case:
    given = JSON | {word.replace("_", "-"): value for word, value in headers.items()}
    return Case(row, name, "POST", "/chat/", status, slug, KEY, given, body, pointer)


def _body(**fields: Any) -> bytes:
    return json.dumps({"message": "hello", **fields}).encode()


def _key(**fields: Any) -> bytes:
    return json.dumps({"name": "n", **fields}).encode()


def _get(row: int, path: str, status: int, slug: str = "", who: str | None = KEY, **headers: str) -> Case:
    given = {word.replace("_", "-"): value for word, value in headers.items()}
    return Case(row, path[:80], "GET", path, status, slug, who, given)


EVENTS = f"/chat/events/{MINE}"
NUMBERS = ["0", "-1", "abc", "1_000", "1e9", "%D9%A1", "9" * 5_000, "", "+1", "0x1", "501", "1.0", "%201"]
CURSORS = ["abc", "-1", "99999999999999999999", "1.5", "", "%D9%A1", "0x1", "1e3", "9" * 5_000, "%00", "1%0A"]
TRICKS = ["' OR 1=1--", "1; DROP TABLE events", "a b", "é", "{0}", "../x", "x" * 101, "", "%"]
SESSIONS = ["x" * 65, "*", "a%0A", "%00", "{0}", "%D9%A1", "a%20b", "a'b", "..%2Fx", "%2e%2e", "%F0%9F%92%A9"]
BAD_KEYS = {
    "malformed": "sf_nope",
    "unknown": "sf_" + "A" * 8 + "_" + "B" * 43,
    "revoked": "revoked",
    "expired": "expired",
}

CASES = [
    Case(1, "no key", "POST", "/chat/", 401, "unauthenticated", None, JSON, HELLO),
    *(Case(2, n, "POST", "/chat/", 401, "unauthenticated", key, JSON, HELLO) for n, key in BAD_KEYS.items()),
    *(
        Case(3, name, "POST", f"/chat/?{name}={KEY}", 401, "unauthenticated", None, JSON, HELLO)
        for name in ("key", "api_key", "token", "X-API-Key")
    ),
    Case(4, "a key that may only read", "POST", "/chat/", 403, "insufficient_scope", "reader", JSON, HELLO),
    Case(
        5,
        "two keys",
        "POST",
        "/chat/",
        400,
        "ambiguous_credentials",
        KEY,
        JSON | {"Authorization": f"Bearer {APP_KEY}"},
        HELLO,
    ),
    _chat(6, "an open brace", b"{", 400, "invalid_json"),
    _chat(6, "two values", b"{}{}", 400, "invalid_json"),
    _chat(7, "nothing", b"", 400, "invalid_json"),
    _chat(8, "text", HELLO, 415, Content_Type="text/plain"),
    _chat(8, "no type", HELLO, 415, Content_Type=""),
    _chat(8, "a form", b"message=hello", 415, Content_Type="application/x-www-form-urlencoded"),
    *(_chat(9, body.decode(), body, 422, "not_an_object") for body in (b"[]", b'"hello"', b"null", b"7", b"true")),
    *(
        _chat(10, repr(value), _body(message=value), 422, "", "message")
        for value in (None, 7, "", "  ", [], {}, True, "\u200b", "\u202e")
    ),
    _chat(10, "missing", b"{}", 422, "", "message"),
    _chat(11, "16 kB + 1", _body(message="x" * 16_385), 422, "too_long", "message"),
    _chat(11, "16 kB + 1 of two bytes", _body(message="é" * 16_385), 422, "too_long", "message"),
    _chat(12, "256 kB + 1", b" " * 262_145, 413),
    _chat(13, "depth 33", b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", 400, "too_deep"),
    _chat(13, "depth 30,000", b"[" * 30_000 + b"]" * 30_000, 400, "too_deep"),
    _chat(13, "depth 30,000 of objects", b'{"a":' * 30_000 + b"1" + b"}" * 30_000, 400, "too_deep"),
    *(
        _chat(14, word, b'{"message":"hello","metadata":{"a":' + word.encode() + b"}}", 400, "invalid_json")
        for word in ("NaN", "Infinity", "-Infinity", "1e999", "01", "+1", ".5", "0x1")
    ),
    _chat(15, "the same key twice", b'{"message":"a","message":"b"}', 400, "duplicate_key"),
    _chat(15, "the same key twice inside", b'{"message":"a","metadata":{"a":[{"b":1,"b":2}]}}', 400, "duplicate_key"),
    _chat(15, "the same key, spelt otherwise", rb'{"message":"a","\u006dessage":"b"}', 400, "duplicate_key"),
    _chat(16, "a lone surrogate", rb'{"message":"\ud800"}', 400),
    _chat(16, "a raw NUL", b'{"message":"a\x00b"}', 400),
    _chat(16, "invalid UTF-8", b'{"message":"\xff"}', 400),
    _chat(16, "UTF-16", '{"message":"hello"}'.encode("utf-16"), 400),
    _chat(16, "a byte order mark", b"\xef\xbb\xbf" + HELLO, 400),
    _chat(17, "gzip", HELLO, 415, "unsupported_encoding", Content_Encoding="gzip"),
    _chat(17, "br", HELLO, 415, "unsupported_encoding", Content_Encoding="br"),
    Case(19, "foreign", "POST", "/chat/", 404, "not_found", "anna", JSON, _body(session_id=FOREIGN)),
    Case(19, "foreign, by cookie", "POST", "/chat/", 404, "not_found", "visitor", JSON, _body(session_id=FOREIGN)),
    *(
        _chat(20, repr(value), _body(session_id=value), 422, "", "session_id")
        for value in ("x" * 65, "../x", "*", "a\n", "\x00", "", 7, [], {}, "a b", "\u0661", "{0}")
    ),
    _chat(23, "256 characters", HELLO, 400, "invalid_idempotency_key", Idempotency_Key="x" * 256),
    _chat(23, "nothing", HELLO, 400, "invalid_idempotency_key", Idempotency_Key=""),
    _chat(23, "control characters", HELLO, 400, "invalid_idempotency_key", Idempotency_Key="a\x7f"),
    _chat(27, "201 keys", _body(metadata={str(n): n for n in range(201)}), 422),
    _chat(27, "201 keys inside", _body(metadata={"a": {str(n): n for n in range(201)}}), 422),
    _chat(27, "17 kB", _body(metadata={"a": "x" * 17_000}), 422),
    _chat(27, "17 kB inside", _body(metadata={"a": [{"b": "x" * 17_000}]}), 422),
    _chat(27, "a key of 17 kB", _body(metadata={"x" * 17_000: 1}), 422),
    _chat(27, "17 kB in an unknown field", _body(other="x" * 17_000), 422),
    _chat(27, "text", _body(metadata="a"), 422, "", "metadata"),
    *(_get(28, f"{EVENTS}?limit={number}", 422) for number in NUMBERS),
    *(_get(29, f"{EVENTS}?after={cursor}", 422) for cursor in CURSORS),
    *(
        _get(29, f"{EVENTS}?since={word}", 422)
        for word in ("abc", "", "2026-13-01", "9" * 400, "0001-01-01T00:00%2B14:00")
    ),
    _get(33, f"{EVENTS}?after=1&since=2026-11-20T00:00:00Z", 422, "two_cursors"),
    *(_get(34, f"{EVENTS}?event_type={trick}", 422) for trick in TRICKS),
    *(
        _get(34, f"{EVENTS}?{name}={word}", 422)
        for name in ("event_status", "category", "priority")
        for word in ("bogus", "", "STARTED", "started'--", "%00")
    ),
    *(
        _get(34, f"{EVENTS}?" + "&".join([f"{name}={word}"] * 100), 422)
        for name, word in (("event_type", "a"), ("event_status", "started"), ("category", "audit"))
    ),
    *(
        _get(36, path.format(session), 404, "not_found", who)
        for path in ("/chat/events/{}", "/chat/events/{}/latest", "/chat/{}", "/chat/events/{}/stream")
        for session in (FOREIGN, UNKNOWN)
        for who in ("anna", "visitor", "token")
    ),
    *(
        _get(37, path, 406, "not_acceptable", Accept=accept)
        for path in (EVENTS, f"/chat/{MINE}", f"{EVENTS}/stream")
        for accept in ("application/xml", "text/html", "image/*", "application/json;q=0")
    ),
    *(_get(38, f"{EVENTS}/latest?count={number}", 422) for number in ("51", "-1", "0", "abc", "1_0", "9" * 5_000)),
    *(
        Case(39, f"{method} {path}", method, path, 405, "method_not_allowed")
        for method in ("DELETE", "TRACE", "PROPFIND", "PUT", "PATCH")
        for path in ("/health", "/", EVENTS, "/chat/")
    ),
    *(_get(40, path, 404, "not_found") for path in ("/nope", "/%2e%2e/", "/%00", "/chat/s/x/y/z")),
    *(
        _get(40, path, 404, "not_found")
        for path in ("/static/..%2f..%2fpyproject.toml", "/static//etc/passwd", "/\xe9")
    ),
    *(
        Case(42, f"{who} for {session}", "POST", f"/chat/{session}/token", 404, "not_found", who)
        for who in ("anna", "visitor", "token")
        for session in (FOREIGN, UNKNOWN)
    ),
    *(_get(51, f"{EVENTS}/stream?after={cursor}", 400, "invalid_cursor") for cursor in CURSORS),
    *(
        _get(51, f"{EVENTS}/stream", 400, "invalid_cursor", Last_Event_ID=word)
        for word in ("abc", "-1", "1.5", "\xe9", "9" * 400)
    ),
    *(
        Case(
            58,
            f"{name}",
            "POST",
            "/api/v1/keys",
            422,
            "",
            ADMIN_KEY,
            JSON,
            json.dumps({"name": "n", **fields}).encode(),
        )
        for name, fields in {
            "scopes: root": {"scopes": ["root"]},
            "scope: root": {"scope": ["root"]},
            "an end in the past": {"scopes": ["admin"], "expires_at": "2020-01-01T00:00:00Z"},
            "an unknown field": {"scopes": ["admin"], "role": "x"},
            "no scopes": {},
            "an end without end": {"scopes": ["admin"], "expires_at": 10**40},
        }.items()
    ),
    Case(58, "no administrator", "POST", "/api/v1/keys", 403, "insufficient_scope", "reader", JSON, b"{}"),
    Case(58, "not JSON", "POST", "/api/v1/keys", 400, "invalid_json", ADMIN_KEY, JSON, b"{"),
    *(
        Case(0, f"{method} {path.format(session)[:60]}", method, path.format(session), 422, "invalid_session_id")
        for method, path in (("GET", "/chat/events/{}"), ("GET", "/chat/{}"), ("DELETE", "/chat/{}"))
        for session in SESSIONS
        if "%2F" not in session and "%2e" not in session and session != "%00"
    ),
]


@pytest.fixture(scope="module")
def given(site: Site) -> dict[str, dict[str, str]]:
    """The headers of those who ask, and the sessions that they ask for."""
    locksmith = Locksmith(site.settings, site.store)
    made = {
        "reader": locksmith.create("r", ["events:read"], "test"),
        "anna": locksmith.create("a", ["chat:write", "events:read"], "test", "anna"),
        "revoked": locksmith.create("x", ["chat:write"], "test"),
        "expired": locksmith.create("y", ["chat:write"], "test"),
    }
    locksmith.revoke(made["revoked"][1].key_id)
    locksmith.rotate(made["expired"][1].key_id, "test", 0)
    _, cookie = site.state.doors.make_cookie()
    site.say(MINE, owner="key:main")
    site.say(FOREIGN, owner="bert")
    return {
        **{who: {"X-API-Key": key} for who, (key, _) in made.items()},
        "visitor": {"Cookie": f"{COOKIE}={cookie}", "Origin": "http://localhost"},
        "token": {"X-API-Key": site.state.doors.make_token("the-tokens-own", "key:main")},
    }


def _stored(site: Site) -> list[int]:
    with site.store.read() as connection:
        return [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (messages, sessions, api_keys)
        ]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_bad_input_gets_the_answer_of_the_table(site: Site, given: dict[str, dict[str, str]], case: Case) -> None:
    """A client with a mistake would get an error of the server, or be half understood, or leave something behind."""
    who = {} if case.who is None else given.get(case.who, {"X-API-Key": case.who})
    before = _stored(site)
    reply = site.ask(case.method, case.path, None, headers=case.headers | who, data=case.body)
    detail = assert_problem(reply, case.status, case.slug or None)
    assert _stored(site) == before
    if case.pointer:
        assert [item["loc"] for item in detail] == [["body", case.pointer]]
    if case.status == 401:
        assert reply.headers["WWW-Authenticate"]
    if case.status == 405:
        assert reply.headers["Allow"]
    assert "Traceback" not in reply.text
    assert "sqlalchemy" not in reply.text


def test_all_that_is_no_key_gets_the_same_body(site: Site, given: dict[str, dict[str, str]]) -> None:
    """An attacker could tell a key that was good once from one that never was."""
    bodies = []
    for key in BAD_KEYS.values():
        reply = site.get(EVENTS, None, headers=given.get(key, {"X-API-Key": key}))
        bodies.append({**(reply.json or {}), "instance": ""})
    assert bodies == bodies[:1] * len(BAD_KEYS)


def test_unknown_parameters_are_ignored(site: Site, given: dict[str, dict[str, str]]) -> None:
    """A client of tomorrow, or one that adds a number against caches, would be shut out. Row 35."""
    assert site.get(f"{EVENTS}?nonsense=1&_=7").status_code == 200


@pytest.mark.parametrize("query", ["after=9000000000000000", "after=1&epoch=another"])
def test_a_cursor_of_another_log_begins_anew(site: Site, given: dict[str, dict[str, str]], query: str) -> None:
    """A client would wait for ever for ids that never come. Rows 30 and 32."""
    reply = site.get(f"{EVENTS}?{query}")
    assert reply.status_code == 200
    assert (reply.json or {})["reset"] is True


def _post(server: Stack, body: dict[str, Any], **headers: str) -> Any:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    with server.client() as client:
        return client.post("/chat/", json=body, headers={"Prefer": "respond-async", **given})


def test_what_the_key_decides_is_never_taken_from_the_body(server: Stack, session_id: str) -> None:
    """A client could make itself an administrator, or another's message its own. Row 18."""
    body = {"message": "hello", "session_id": session_id, "owner": "bert", "role": "assistant", "status": "completed"}
    reply = _post(server, {**body, "message_id": "chosen", "trace_id": "0" * 32, "scopes": ["Admin"]})
    assert reply.status_code == 202
    [said] = conversations.conversation(server.store, session_id)
    session = conversations.find_session(server.store, session_id)
    assert session is not None
    assert session.owner == "key:main"
    assert (said.role, said.status) == ("user", "accepted")
    assert said.message_id != "chosen"
    assert said.trace_id != "0" * 32


@pytest.mark.parametrize("word", ["garbage", "00-0-0-0", "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "\xe9" * 50])
def test_a_trace_from_outside_is_not_taken_over(server: Stack, session_id: str, word: str) -> None:
    """A stranger could write into the operators' traces. Row 26."""
    with Wire(server.url) as wire:
        headers: dict[str, str | None] = {**JSON, "X-API-Key": KEY, "Prefer": "respond-async", "traceparent": word}
        body = _body(session_id=session_id)
        assert wire.request("POST", "/chat/", {**headers, "Content-Length": str(len(body))}, body).status == 202
    [said] = conversations.conversation(server.store, session_id)
    assert said.trace_id
    assert said.trace_id != "a" * 32


def test_a_request_that_comes_again_is_one_message(server: Stack, session_id: str) -> None:
    """A client that tries again would ask twice, or get another's answer. Rows 21 and 22."""
    body, key = {"message": "hello", "session_id": session_id}, str(uuid.uuid4())
    first, again = (_post(server, body, Idempotency_Key=key) for _ in range(2))
    assert again.json()["message_id"] == first.json()["message_id"]
    assert again.headers["Idempotent-Replayed"] == "true"
    other = _post(server, {**body, "message": "something else"}, Idempotency_Key=key)
    assert other.status_code == 422
    assert other.json()["type"].endswith("idempotency_mismatch")
    assert len(conversations.conversation(server.store, session_id)) == 1


def _head(first: str, *lines: str) -> bytes:
    head, _, body = "\r\n".join([first + " HTTP/1.1", "Host: x", *lines]).partition("\n\n")
    return f"{head}\r\n\r\n{body}".encode("latin-1")


KEYED = (f"X-API-Key: {KEY}", "Content-Type: application/json")
CHUNKED = "Transfer-Encoding: chunked"
HEADS: dict[str, bytes] = {
    "64 kB header": _head("GET /health", "X-Long: " + "x" * 65_536),
    "200 headers": _head("GET /health", *(f"X-{n}: x" for n in range(200))),
    "two lengths": _head("POST /chat/", "Content-Length: 5", "Content-Length: 6\n\nhello!"),
    "length and chunks": _head("POST /chat/", "Content-Length: 5", f"{CHUNKED}\n\n0\r\n\r\n"),
    "chunked twice": _head("POST /chat/", f"{CHUNKED}, chunked\n\n0\r\n\r\n"),
    "a strange coding": _head("POST /chat/", "Transfer-Encoding: xchunked\n\n0\r\n\r\n"),
    "a length that is none": _head("POST /chat/", "Content-Length: 0x5\n\nhello"),
    "a length with a sign": _head("POST /chat/", "Content-Length: +5\n\nhello"),
    "a space before the colon": _head("GET /health", "X-A : b"),
    "a folded header": _head("GET /health", "X-A: b", " c"),
    "NUL in a header": _head("GET /health", "X-A: b\x00c"),
    "NUL in the path": _head("GET /he\x00alth"),
    "no version": b"GET /health\r\n\r\n",
    "a version of its own": b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n",
    "a long address": _head("GET /" + "x" * 10_000),
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a bad chunk": _head("POST /chat/", *KEYED, f"{CHUNKED}\n\nzz\r\nhello\r\n0\r\n\r\n"),
    "a bad chunk behind a good one": _head("POST /chat/", *KEYED, f"{CHUNKED}\n\n1\r\n{{\r\n-1\r\n\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_that_makes_no_sense_is_the_clients_fault(server: Stack, name: str) -> None:
    """A crooked request could be smuggled past a proxy, or end in an error of the server. Row 41."""
    with Wire(server.url) as wire:
        wire.socket.sendall(HEADS[name])
        said = b""
        try:
            while b"\r\n" not in said and len(said) < 65_536:
                more = wire.socket.recv(4_096)
                if not more:
                    break
                said += more
        except ConnectionResetError:
            pass
    # A connection that is cut without a word is an answer, too; 501 is what RFC 9112 wants for an unknown coding.
    assert not said or said.split(b" ")[1] == b"501" or said.split(b" ")[1].startswith(b"4"), said


def test_what_follows_a_broken_body_is_not_taken_for_a_request(server: Stack) -> None:
    """A request could be hidden from a proxy behind another one's broken body. Row 41."""
    with Wire(server.url) as wire:
        wire.socket.sendall(HEADS["a bad chunk"] + b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        said = b""
        while more := wire.socket.recv(4_096):
            said += more
    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("path", ["/health//", "/chat//events/s", "/chat/events//s"])
def test_another_spelling_of_a_path_is_another_path(server: Stack, path: str) -> None:
    """A proxy's rule for a path could be got around with a second slash. Row 40."""
    with Wire(server.url) as wire:
        reply = wire.request("GET", path, {"X-API-Key": KEY})
    assert reply.status == 404
    assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("row", "path", "headers", "status"),
    [
        (43, "/chat/ws/events/s", {"X-API-Key": None}, 401),
        (43, "/chat/ws/events/s?token=x.y.z", {"X-API-Key": None}, 401),
        (43, f"/chat/ws/events/s?token={KEY}", {"X-API-Key": None}, 401),
        (44, "/chat/ws/events/s", {"Origin": "https://evil.example"}, 403),
        (44, "/chat/ws/events/s", {"Origin": "null"}, 403),
        (44, "/chat/ws/events/s", {"Origin": "https://chat.example.org.evil.example"}, 403),
        (49, "/chat/ws/events/s?after=garbage", {}, 400),
        (49, "/chat/ws/events/s?event_status=bogus", {}, 422),
        (20, "/chat/ws/events/" + "x" * 65, {}, 422),
        (20, "/chat/ws/events/*", {}, 422),
        (0, "/chat/ws/events/s", {"Sec-WebSocket-Version": "12"}, 426),
        (0, "/chat/ws/events/s", {"Sec-WebSocket-Key": None}, 400),
    ],
)
def test_a_socket_is_refused_before_the_handshake(
    server: Stack, row: int, path: str, headers: dict[str, str | None], status: int
) -> None:
    """A browser would be told of an open socket that closes at once, without a reason."""
    with Wire(server.url) as wire:
        reply = wire.request("GET", path, {"X-API-Key": KEY, **HANDSHAKE, **headers})
    assert reply.status == status, row
    assert reply.headers["content-type"] == "application/problem+json"


def test_a_token_of_another_session_opens_no_socket(server: Stack, session_id: str) -> None:
    """Whoever was let into one session could listen to all. Row 43."""
    with server.client() as client:
        token = client.post("/chat/another/token").json()["token"]
    with Wire(server.url) as wire:
        assert wire.upgrade(f"/chat/ws/events/{session_id}?token={token}", None).status == 404


def test_the_table_has_all_its_inputs() -> None:
    """Lines would get lost, and with them what they guard."""
    assert len(CASES) + len(HEADS) >= 150
