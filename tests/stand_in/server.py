"""The stand-in's HTTP: the API's routes and the three that control it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import select
import socket
import socketserver
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from tests.stand_in import events, vectors
from tests.stand_in.script import Script, answer_words
from tests.stand_in.state import Gone, Request, State

MODEL = "stand-in"


class Server(ThreadingHTTPServer):
    """Listens on loopback; port 0 lets the system choose one."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.state = State()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away in mid-answer are what the stand-in is for."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 180
    server: socketserver.BaseServer

    @property
    def state(self) -> State:
        """The script and the record of this server."""
        return cast(Server, self.server).state

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: tests read the record instead."""

    def do_GET(self) -> None:
        """Answers `/v1/models` and `/requests`."""
        if self.path == "/v1/models":
            self._json(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})
        elif self.path == "/requests":
            self._json(200, {"requests": [dataclasses.asdict(request) for request in self.state.requests()]})
        else:
            self._json(404, {"error": {"message": "no such route"}})

    def do_POST(self) -> None:
        """Answers the API's routes, `/control` (a script's fields) and `/release` (`{"count": n}`)."""
        try:
            body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        except ValueError:
            self._json(400, {"error": {"message": "not JSON"}})
            return
        match self.path.partition("?")[0]:
            case "/control":
                self._control(body)
            case "/release":
                self.state.release(int(body.get("count", 1)))
                self._json(200, {})
            case "/v1/chat/completions":
                self._completion(body)
            case "/v1/embeddings":
                self._completion(body, self._embeddings)
            case _:
                self._json(404, {"error": {"message": "no such route"}})

    def _control(self, fields: dict[str, Any]) -> None:
        try:
            self.state.play(Script.from_fields(fields))
        except (TypeError, ValueError) as error:
            self._json(400, {"error": {"message": str(error)}})
        else:
            self._json(200, {})

    def _completion(
        self, body: dict[str, Any], play: Callable[[Script, bool, dict[str, Any]], None] | None = None
    ) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        script, fails = self.state.enter(Request("POST", self.path, headers, body))
        try:
            (play or self._play)(script, fails, body)
        except (Gone, OSError):
            self._break()
        finally:
            self.state.leave()

    def _play(self, script: Script, fails: bool, body: dict[str, Any]) -> None:
        if script.silent:
            self.state.hold(self._client_gone)
        if fails:
            return self._respond(script.fail_status, script.fail_body.encode(), script.retry_after)
        if "no_stream_options" in script.quirks and "stream_options" in body:
            return self._json(400, {"error": {"message": "Unrecognized request argument: stream_options"}})
        words = answer_words(script, body)
        if script.calls is not None and body.get("tools"):
            script, words = dataclasses.replace(script, finish_reason="tool_calls"), ()
        if "whole" in script.quirks or not body.get("stream"):
            usage = events.count_tokens(body, words)
            return self._respond(200, events.document(script, _model(body), "".join(words), usage))
        return self._stream(script, words, body)

    def _embeddings(self, script: Script, fails: bool, body: dict[str, Any]) -> None:
        if script.silent:
            self.state.hold(self._client_gone)
        if fails:
            return self._respond(script.fail_status, script.fail_body.encode(), script.retry_after)
        if script.raw is not None:
            return self._respond(200, "".join(script.raw).encode())
        return self._json(200, vectors.document(body))

    def _stream(self, script: Script, words: tuple[str, ...], body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", script.content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if script.raw is not None:
            for number, piece in enumerate(script.raw):
                if number == script.cut_after:
                    raise Gone
                self._send(piece.encode(), script)
                time.sleep(script.pace_seconds)
        else:
            self._events(script, words, body)
        if script.linger:
            self.state.hold(self._client_gone)
        self.wfile.write(b"0\r\n\r\n")

    def _events(self, script: Script, words: tuple[str, ...], body: dict[str, Any]) -> None:
        model = _model(body)
        for data in events.opening(script, model):
            self._send(data, script)
        if script.finish_reason == "tool_calls":
            for data in events.calls(script, model):
                self._send(data, script)
        for number, text in enumerate((*words, None)):
            if number == script.stall_after:
                self.state.hold(self._client_gone)
            if number == script.cut_after:
                raise Gone
            if text is None:
                break
            if script.step:
                self.state.take_release(self._client_gone)
            for data in events.between(script, model):
                self._send(data, script)
            self._send(events.word(script, model, text), script)
            time.sleep(script.pace_seconds)
        for data in events.closing(script, model, events.count_tokens(body, words)):
            self._send(data, script)

    def _send(self, data: bytes, script: Script) -> None:
        for piece in events.pieces(data, script):
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        self.wfile.flush()

    def _client_gone(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def _break(self) -> None:
        self.close_connection = True
        # The other side may have been faster.
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _json(self, status: int, body: dict[str, Any]) -> None:
        self._respond(status, json.dumps(body).encode())

    def _respond(self, status: int, body: bytes, retry_after: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if retry_after is not None:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(body)


def _model(body: dict[str, Any]) -> str:
    return str(body.get("model") or MODEL)
