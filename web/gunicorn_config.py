"""gunicorn's configuration: threads, because gevent sends partial WebSocket frames and SQLite blocks its loop."""

from pipeline.settings import load as _load

_settings = _load()

bind = f"{_settings.host}:{_settings.port}"
worker_class = "gthread"
workers = _settings.web_processes
threads = _settings.web_threads
worker_connections = _settings.web_threads * 4
timeout = 60
graceful_timeout = 1
control_socket_disable = True
keepalive = 5
limit_request_line = 4094
limit_request_fields = 100
limit_request_field_size = 8190
loglevel = _settings.log_level.lower()
proc_name = "spanfeed-web"
