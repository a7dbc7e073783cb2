"""Waiting for the web server."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pipeline.settings import Settings
from web.up.readiness import ReadyProbe, reachable_host

from .driven import until


def test_the_page_is_announced_when_it_is_there_and_not_before() -> None:
    """The first click on the printed address would end in an error."""
    ready = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if ready.is_set() and self.path == "/readyz" else 503)
            self.end_headers()
            self.wfile.write(b'{"redis": "loading"}')

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        probe = ReadyProbe(Settings(port=server.server_address[1]))
        until(lambda: probe.last_answer, "a first answer")
        assert not probe.ready()
        assert probe.last_answer == '503 {"redis": "loading"}'
        ready.set()
        until(probe.ready, "readiness")
        probe.close()
        server.shutdown()
        serving.join(5)


def test_a_server_on_every_address_is_reached_on_loopback() -> None:
    """The printed address would be http://0.0.0.0, which some browsers refuse."""
    shown = {host: reachable_host(Settings(host=host)) for host in ("0.0.0.0", "::", "::1", "example.org")}
    assert shown == {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]", "example.org": "example.org"}
