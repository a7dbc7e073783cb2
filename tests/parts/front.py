"""A real nginx or HAProxy in front of web processes, configured by the files that Spanfeed brings along."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from pathlib import Path

from tests.parts.missing import missing
from tests.parts.ports import free_port
from tests.parts.waiting import wait_for

FRONTS = ("nginx", "haproxy")
_DEPLOY = Path(__file__).parents[2] / "deploy"
_NGINX = """
pid {folder}/nginx.pid;
error_log {folder}/error.log;
daemon off;
worker_processes 1;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/spanfeed.conf;
}}
"""


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    return found or missing(name)


def _replaced(text: str, changes: dict[str, str]) -> str:
    """The file with other places in it; each of them must have been there."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


class Front:
    """The server, listening with TLS at `url`; `context` trusts its certificate."""

    def __init__(self, kind: str, folder: Path, web_ports: tuple[int, int]) -> None:
        self.kind = kind
        self.program = _program(kind)
        self.port, self.plain_port = free_port(), free_port()
        self.url = f"https://localhost:{self.port}"
        self._folder = folder
        folder.mkdir(parents=True)
        self._make_certificate()
        self.context = ssl.create_default_context(cafile=str(folder / "fullchain.pem"))
        changes = {f"127.0.0.1:{5000 + number}": f"127.0.0.1:{port}" for number, port in enumerate(web_ports)}
        command = self._nginx(changes) if kind == "nginx" else self._haproxy(changes)
        with (folder / "front.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(self._listens, f"the {kind}; {(folder / 'front.log').read_text()}")

    def _make_certificate(self) -> None:
        command = [_program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        command += ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        command += ["-keyout", "privkey.pem", "-out", "fullchain.pem"]
        subprocess.run(command, cwd=self._folder, check=True, capture_output=True)
        both = (self._folder / "fullchain.pem").read_text() + (self._folder / "privkey.pem").read_text()
        (self._folder / "spanfeed.pem").write_text(both)

    def _nginx(self, changes: dict[str, str]) -> list[str]:
        changes |= {"/etc/ssl/spanfeed": str(self._folder), "chat.example.org": "localhost"}
        changes |= {"listen 80;": f"listen 127.0.0.1:{self.plain_port};"}
        changes |= {"listen 443 ssl": f"listen 127.0.0.1:{self.port} ssl"}
        text = (_DEPLOY / "nginx" / "spanfeed.conf").read_text(encoding="utf-8")
        (self._folder / "spanfeed.conf").write_text(_replaced(text, changes), encoding="utf-8")
        (self._folder / "nginx.conf").write_text(_NGINX.format(folder=self._folder), encoding="utf-8")
        return [self.program, "-p", str(self._folder), "-c", str(self._folder / "nginx.conf")]

    def _haproxy(self, changes: dict[str, str]) -> list[str]:
        changes |= {"/etc/haproxy/spanfeed.pem": str(self._folder / "spanfeed.pem"), "maxconn 40000": "maxconn 1000"}
        changes |= {"bind :80": f"bind 127.0.0.1:{self.plain_port}", "bind :443": f"bind 127.0.0.1:{self.port}"}
        text = (_DEPLOY / "haproxy" / "spanfeed.cfg").read_text(encoding="utf-8")
        (self._folder / "haproxy.cfg").write_text(_replaced(text, changes), encoding="utf-8")
        return [self.program, "-db", "-f", str(self._folder / "haproxy.cfg")]

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return self._process.poll() is None and probe.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self) -> None:
        """Ends it."""
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
