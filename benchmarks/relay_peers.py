"""The peers Flask-SocketIO, which is installed into the user's cache, and nchan in nginx; who can be had at all."""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
from pathlib import Path

from benchmarks.own_python import python_with, say
from benchmarks.relay_sides import Naive, Ours, OursAnnounced, Raw, RawPublish, Side

_PACKAGES = ("flask-socketio==5.7.0", "gevent==26.9.0", "redis==8.1.0", "gunicorn[gevent]==27.0.1", "packaging")
_CONFIGURATION = """\
load_module {module};
user root;
worker_processes 1;
worker_rlimit_nofile {files};
daemon off;
pid nginx.pid;
events {{ worker_connections {files}; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    tcp_nodelay on;
    nchan_shared_memory_size 512m;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    {upstream}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /ready {{ return 200 ready; }}
        location ~ ^/feed/(.+)$ {{
            nchan_subscriber websocket; nchan_channel_id $1; nchan_subscriber_first_message newest; {store}
        }}
        location ~ ^/pub/(.+)$ {{
            nchan_publisher http; nchan_channel_id $1;
            nchan_message_buffer_length 100; nchan_message_timeout 10s; {store}
        }}
    }}
}}
"""


class SocketIO(Side):
    """Flask-SocketIO under gevent, with its message queue in Redis."""

    name, label = "socketio", "Flask-SocketIO (gevent, Redis queue)"
    kind, protocol, path = "socketio", "socketio", "/socket.io/?EIO=4&transport=websocket"
    idle_clients = 2_000

    def _start(self, clients: int) -> None:
        command = [self.python, "-m", "gunicorn", "--worker-class=gevent", "--worker-connections=20000"]
        command += [f"--bind=127.0.0.1:{self.port}", "--backlog=4096", "--graceful-timeout=1"]
        self._run([*command, "benchmarks.socketio_app:app"], REDIS_URL=self.part.url)


class Nchan(Side):
    """One nginx worker that keeps the messages in its memory."""

    name, label = "nchan", "nchan (nginx, memory store)"
    kind, protocol, path = "nchan", "plain", "/feed/s{}"
    first_rate = 30.0
    accepts_late = True
    module = Path()

    def _start(self, clients: int) -> None:
        upstream, store = self._store()
        text = _CONFIGURATION.format(
            module=self.module,
            files=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
            upstream=upstream,
            port=self.port,
            store=store,
        )
        configuration = self.home / "nginx.conf"
        configuration.write_text(text)
        self._run([nginx() or "nginx", "-p", str(self.home), "-c", str(configuration), "-e", "stderr"])

    def _store(self) -> tuple[str, str]:
        return "", ""

    def _target(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class NchanRedis(Nchan):
    """The same with its Redis store."""

    name, label = "nchanredis", "nchan (nginx, Redis store)"

    def _store(self) -> tuple[str, str]:
        return f"upstream store {{ nchan_redis_server {self.part.url}; }}", "nchan_redis_pass store;"


def nginx() -> str | None:
    """The program; Debian keeps it out of the PATH of ordinary users."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def _nchan_module() -> Path | None:
    program = nginx()
    if program is None:
        return None
    said = subprocess.run([program, "-V"], check=False, capture_output=True, text=True).stderr
    folders = [*re.findall(r"--modules-path=(\S+)", said), "/usr/lib/nginx/modules", "/usr/share/nginx/modules"]
    return next((found for folder in folders if (found := Path(folder) / "ngx_nchan_module.so").exists()), None)


SIDES: dict[str, type[Side]] = {
    side.name: side for side in (Ours, OursAnnounced, Naive, SocketIO, Nchan, NchanRedis, Raw, RawPublish)
}


def sides_that_can_be_had(wanted: set[str]) -> dict[str, type[Side]]:
    """The sides by name; what is missing on this machine is left out, in one line that says how to get it."""
    found = {name: side for name, side in SIDES.items() if name in wanted}
    if "socketio" in found:
        python = python_with("socketio-5.7.0", *_PACKAGES)
        if python is None:
            del found["socketio"]
        else:
            SocketIO.python = str(python)
    if {"nchan", "nchanredis"} & found.keys():
        module = _nchan_module()
        if module is None:
            say("There is no nginx with nchan, so it is left out (Debian: apt install nginx libnginx-mod-nchan).")
            found.pop("nchan", None)
            found.pop("nchanredis", None)
        else:
            Nchan.module = module
    return found
