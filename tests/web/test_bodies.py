"""The bodies of POST /chat/: what is refused, with which words, and that a refused message leaves nothing behind."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
import redis
from sqlalchemy import func, select

from pipeline.bus import keys
from pipeline.store.models import messages, sessions
from tests.parts.stack import KEY, Stack
from tests.web.site import Site, assert_problem
from tests.web.wire import Wire

JSON = "application/json"
DEEP = b'{"message":"hello","metadata":'


def _nested(depth: int) -> bytes:
    """A body of that depth: the object, the metadata, and lists in it."""
    return DEEP + b'{"a":' + b"[" * (depth - 2) + b"]" * (depth - 2) + b"}}"


UNREADABLE = {
    "empty": (b"", JSON, 400),
    "open brace": (b"{", JSON, 400),
    "text": (b"hello", JSON, 400),
    "two values": (b"{} {}", JSON, 400),
    "NaN": (b'{"message":"hello","metadata":{"a":NaN}}', JSON, 400),
    "Infinity": (b'{"message":"hello","metadata":{"a":Infinity}}', JSON, 400),
    "1e999": (b'{"message":"hello","metadata":{"a":1e999}}', JSON, 400),
    "single quotes": (b"{'message':'hello'}", JSON, 400),
    "trailing comma": (b'{"message":"hello",}', JSON, 400),
    "depth 33": (_nested(33), JSON, 400),
    "depth 30,000 of lists": (b"[" * 30_000 + b"]" * 30_000, JSON, 400),
    "depth 30,000 of objects": (b'{"a":' * 30_000 + b"1" + b"}" * 30_000, JSON, 400),
    "depth 30,000 inside": (_nested(30_000), JSON, 400),
    "high surrogate": (rb'{"message":"\ud800"}', JSON, 400),
    "low surrogate": (rb'{"message":"\udc00 there"}', JSON, 400),
    "surrogate in a key": (rb'{"message":"hello","metadata":{"\udfff":1}}', JSON, 400),
    "surrogate in UTF-8": (b'{"message":"\xed\xa0\x80"}', JSON, 400),
    "Latin-1": (b'{"message":"\xe9"}', JSON, 400),
    "UTF-16": ('{"message":"hello"}'.encode("utf-16"), JSON, 400),
    "byte order mark": (b'\xef\xbb\xbf{"message":"hello"}', JSON, 400),
    "raw control character": (b'{"message":"a\x00b"}', JSON, 400),
    "text/plain": (b'{"message":"hello"}', "text/plain", 415),
    "no type": (b'{"message":"hello"}', "", 415),
    "form": (b"message=hello", "application/x-www-form-urlencoded", 415),
    "multipart": (b"--x--", "multipart/form-data; boundary=x", 415),
    "a list": (b'[{"message":"hello"}]', JSON, 422),
    "a string": (b'"hello"', JSON, 422),
    "null": (b"null", JSON, 422),
    "a number": (b"7", JSON, 422),
    "262,145 bytes": (b'{"message":"' + b"x" * 262_131 + b'"}', JSON, 413),
    "a megabyte of nothing": (b" " * 1_048_576, JSON, 413),
}
WRONG: dict[str, tuple[dict[str, Any], list[str | int]]] = {
    "no message": ({}, ["message"]),
    "null": ({"message": None}, ["message"]),
    "a number": ({"message": 7}, ["message"]),
    "a list": ({"message": ["hello"]}, ["message"]),
    "a truth": ({"message": True}, ["message"]),
    "nothing": ({"message": ""}, ["message"]),
    "spaces": ({"message": " \t\n\u00a0\u2003 "}, ["message"]),
    "what nobody can see": ({"message": "\u202e\u2066\x00\x1b"}, ["message"]),
    "too long": ({"message": "x" * 16_385}, ["message"]),
    "too long in bytes, too": ({"message": "é" * 16_385}, ["message"]),
    "session: number": ({"session_id": 7}, ["session_id"]),
    "session: empty": ({"session_id": ""}, ["session_id"]),
    "session: 65": ({"session_id": "x" * 65}, ["session_id"]),
    "session: path": ({"session_id": "../x"}, ["session_id"]),
    "session: star": ({"session_id": "*"}, ["session_id"]),
    "session: newline": ({"session_id": "a\n"}, ["session_id"]),
    "session: NUL": ({"session_id": "a\x00"}, ["session_id"]),
    "session: braces": ({"session_id": "{0}"}, ["session_id"]),
    "session: Arabic digits": ({"session_id": "\u0661"}, ["session_id"]),
    "session: list": ({"session_id": ["s"]}, ["session_id"]),
    "metadata: text": ({"metadata": "a"}, ["metadata"]),
    "metadata: list": ({"metadata": [1]}, ["metadata"]),
    "metadata: a long value": ({"metadata": {"a": "x" * 17_000}}, ["metadata", "a"]),
    "user: too long": ({"user_id": "x" * 129}, ["user_id"]),
    "user: number": ({"user_id": 7}, ["user_id"]),
    "language: too long": ({"language": "x" * 36}, ["language"]),
    "language: number": ({"language": 7}, ["language"]),
}


def _stored(site: Site) -> tuple[int, int, int]:
    """How many messages, sessions and runs there are."""
    with site.store.read() as connection:
        said = connection.execute(select(func.count()).select_from(messages)).scalar_one()
        opened = connection.execute(select(func.count()).select_from(sessions)).scalar_one()
    with redis.Redis.from_url(site.settings.redis_url) as client:
        return said, opened, int(client.zcard(keys.DUE) or 0)


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_body_that_cannot_be_read_is_refused(site: Site, name: str) -> None:
    """A broken body would end in an error of the server, or be half understood."""
    body, kind, status = UNREADABLE[name]
    before = _stored(site)
    reply = site.post("/chat/", data=body, content_type=kind)
    assert_problem(reply, status)
    assert _stored(site) == before


@pytest.mark.parametrize("name", WRONG)
def test_a_field_that_is_wrong_is_refused_and_named(site: Site, name: str) -> None:
    """A client could not tell its user which field to mend, or nonsense would be answered."""
    body, place = WRONG[name]
    before = _stored(site)
    reply = site.post("/chat/", json={"message": "hello", **body} if name != "no message" else {})
    detail = assert_problem(reply, 422)
    assert [item["loc"] for item in detail] == [["body", *place]]
    assert all(len(str(item["input"])) <= 100 for item in detail)
    assert _stored(site) == before


@pytest.mark.parametrize("where", ["metadata", "top"])
def test_too_many_keys_are_refused(site: Site, where: str) -> None:
    """One message could carry a table of thousands of columns."""
    many = {f"key{number}": number for number in range(201)}
    before = _stored(site)
    body = {"message": "hello", "metadata": many} if where == "metadata" else {"message": "hello", **many}
    assert_problem(site.post("/chat/", json=body), 422)
    assert _stored(site) == before


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, identity"])
def test_a_compressed_body_is_refused(site: Site, encoding: str) -> None:
    """A few bytes could unpack to gigabytes."""
    body = gzip.compress(b'{"message":"hello"}')
    reply = site.post("/chat/", data=body, content_type=JSON, headers={"Content-Encoding": encoding})
    assert_problem(reply, 415)


@pytest.mark.parametrize("name", ["a b", "../x", "*", "x" * 65, "%00", "é", "a%0Ab"])
def test_a_collection_that_cannot_be_is_refused(site: Site, name: str) -> None:
    """What a stranger makes up would reach the index."""
    reply = site.post(f"/chat/{name}", json={"message": "hello"})
    assert reply.status_code in {404, 405, 422}
    assert_problem(reply, reply.status_code)


def _chunks(body: bytes) -> bytes:
    pieces = [body[start : start + 60_000] for start in range(0, len(body), 60_000)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def test_a_body_without_a_length_has_the_same_limit(server: Stack) -> None:
    """Whoever leaves the length out could send without end."""
    headers: dict[str, str | None] = {"X-API-Key": KEY, "Content-Type": JSON, "Transfer-Encoding": "chunked"}
    with Wire(server.url) as wire:
        reply = wire.request("POST", "/chat/", headers, _chunks(b'{"message":"' + b"x" * 262_200 + b'"}'))
    assert reply.status == 413, reply.body
    assert reply.json["detail"] == "The body is larger than is accepted here"


def test_a_body_without_a_length_is_read(server: Stack, session_id: str) -> None:
    """A client that streams its body would be refused."""
    headers: dict[str, str | None] = {"X-API-Key": KEY, "Content-Type": JSON, "Transfer-Encoding": "chunked"}
    body = json.dumps({"message": "hello", "session_id": session_id}).encode()
    with Wire(server.url) as wire:
        reply = wire.request("POST", "/chat/", {**headers, "Prefer": "respond-async"}, _chunks(body))
    assert reply.status == 202, reply.body
    assert reply.json["session_id"] == session_id


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "-1"},
        {"Content-Length": "x"},
        {"Content-Length": "5", "content-length": "6"},
        {"Content-Length": "5", "Transfer-Encoding": "chunked"},
        {"X-Long": "x" * 65_536},
        {f"X-{number}": "x" for number in range(200)},
    ],
    ids=["negative", "no number", "two lengths", "length and chunks", "64 kB header", "200 headers"],
)
def test_a_head_that_makes_no_sense_is_the_clients_fault(server: Stack, headers: dict[str, str]) -> None:
    """A crooked request could be smuggled past a proxy, or end in an error of the server."""
    with Wire(server.url) as wire:
        reply = wire.request("POST", "/chat/", {"X-API-Key": KEY, "Content-Type": JSON, **headers}, b"hello")
    assert 400 <= reply.status < 500
