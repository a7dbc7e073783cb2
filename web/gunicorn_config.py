"""gunicorn's configuration: threads, because gevent sends partial WebSocket frames and SQLite blocks its loop."""

import signal as _signal
from typing import Any as _Any

from pipeline.redaction import redactor_of as _redactor_of
from pipeline.redaction_logs import install as _install
from pipeline.settings import load as _load
from web.closing import closing as _closing
from web.gunicorn_headers import hide_server as _hide_server

_settings = _load()
_install(_redactor_of(_settings))

bind = f"{_settings.host}:{_settings.port}"
worker_class = "gthread"
workers = _settings.web_processes
threads = _settings.web_threads
worker_connections = _settings.web_threads * 4
timeout = 60
# Feeds and requests that wait for an answer are told at once; this is for what is being worked on.
graceful_timeout = 2
control_socket_disable = True
keepalive = 5
limit_request_line = 4094
limit_request_fields = 100
limit_request_field_size = 8190
# Without the query: a session token may stand in it.
access_log_format = '%(h)s %(t)s "%(m)s %(U)s %(H)s" %(s)s %(B)s %(D)sus'
loglevel = _settings.log_level.lower()
proc_name = "spanfeed-web"


def post_worker_init(worker: _Any) -> None:
    """Tells feeds and waiting requests of SIGTERM; otherwise gunicorn would wait for them, then cut them off."""
    _hide_server()
    _closing.begin_at(_signal.SIGTERM)


def worker_int(worker: _Any) -> None:
    """The quick end (SIGINT, SIGQUIT): feeds still get their close frame."""
    _closing.begin()
