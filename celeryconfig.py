"""Celery's configuration. Only Celery's own keys and _names: `inspect conf` and Flower show every public name."""

from kombu import Queue as _Queue

from pipeline.redaction import redactor_of as _redactor_of
from pipeline.redaction_logs import install as _install
from pipeline.settings import load as _load

_settings = _load()
_install(_redactor_of(_settings))
_STAGES = ("receive", "history", "think", "search", "generate", "save")
_AMQP = ("amqp://", "amqps://", "pyamqp://")

broker_url = _settings.celery_broker_url
broker_connection_retry_on_startup = True
# RabbitMQ gives messages back when a connection ends: it needs none of these, but must notice a connection that is
# dead. Its own `consumer_timeout` (30 minutes) is far above every time limit.
broker_transport_options = (
    {}
    if broker_url.startswith(_AMQP)
    else {
        # Above every time limit: a message that is still worked on must not come back.
        "visibility_timeout": int(_settings.stage_time_limit_seconds * 3) + 60,
        "socket_keepalive": True,
    }
)
broker_heartbeat = 10

accept_content = ["json"]
task_serializer = "json"
result_serializer = "json"
event_serializer = "json"
result_backend = None
task_ignore_result = True

task_queues = [_Queue(f"spanfeed.{_name}", routing_key=f"spanfeed.{_name}") for _name in (*_STAGES, "maintenance")]
task_default_queue = "spanfeed.maintenance"
task_default_routing_key = "spanfeed.maintenance"
task_create_missing_queues = True
task_routes = {f"spanfeed.{_name}": {"queue": f"spanfeed.{_name}"} for _name in _STAGES}

task_acks_late = True
task_reject_on_worker_lost = True
task_acks_on_failure_or_timeout = True
task_soft_time_limit = _settings.stage_soft_time_limit_seconds
task_time_limit = _settings.stage_time_limit_seconds
task_publish_retry_policy = {"max_retries": 10, "interval_start": 0.05, "interval_step": 0.2, "interval_max": 1.0}
task_send_sent_event = False
task_track_started = False

worker_prefetch_multiplier = 1
worker_concurrency = _settings.worker_processes
worker_hijack_root_logger = True
worker_soft_shutdown_timeout = 3.0
worker_enable_remote_control = True
worker_cancel_long_running_tasks_on_connection_loss = False

timezone = "UTC"
enable_utc = True

beat_schedule = {
    "retention": {
        "task": "spanfeed.cleanup",
        "schedule": float(_settings.cleanup_interval_seconds),
        "options": {"queue": "spanfeed.maintenance", "expires": float(_settings.cleanup_interval_seconds)},
    },
    "audit-anchor": {
        "task": "spanfeed.audit_anchor",
        "schedule": float(_settings.audit_anchor_interval_seconds),
        "options": {"queue": "spanfeed.maintenance", "expires": float(_settings.audit_anchor_interval_seconds)},
    },
}
if _settings.embeddings_base_url:
    beat_schedule["embeddings"] = {
        "task": "spanfeed.embed",
        "schedule": float(_settings.embeddings_interval_seconds),
        "options": {"queue": "spanfeed.maintenance", "expires": float(_settings.embeddings_interval_seconds)},
    }
