"""A receiver of webhooks: a real HTTP server in a thread, which answers as it is told and remembers what came."""

from __future__ import annotations

import dataclasses
import http.server
import shutil
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import orjson

from tests.parts.missing import missing


@dataclasses.dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)


class WebhookPart:
    """Listens on 127.0.0.1. `status` is what it answers, after `delay_seconds`; `statuses` come before that."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.received: list[Received] = []
        self.status = 200
        self.statuses: list[int] = []
        self.delay_seconds = 0.0
        self.location = ""
        self.connections = 0
        part = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def setup(self) -> None:
                part.connections += 1
                super().setup()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = part.statuses.pop(0) if part.statuses else part.status
                part.received.append(Received(self.path, headers, body))
                part.ended.wait(part.delay_seconds)
                self.send_response(status)
                if part.location:
                    self.send_header("Location", part.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self.ended = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign,misc]
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate / "fullchain.pem", certificate / "privkey.pem")
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = int(self._server.server_address[1])
        self.url = f"{'http' if certificate is None else 'https'}://127.0.0.1:{self.port}/hook"
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()

    def close(self) -> None:
        """Stops listening."""
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()


def make_certificate(folder: Path, name: str) -> Path:
    """A certificate for a name, signed by itself; `folder`/fullchain.pem and privkey.pem."""
    program = shutil.which("openssl") or missing("openssl")
    folder.mkdir(parents=True, exist_ok=True)
    command = [str(program), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    command += ["-keyout", "privkey.pem", "-out", "fullchain.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder
