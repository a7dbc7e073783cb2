"""Plain Celery: the six tasks of noop_chain.py, the third behind the gate (`celery -A benchmarks.recovery_chain`).

Acknowledged late, rejected when a worker is lost, one message ahead, as celeryconfig.py says; and what brings a lost
worker's message back soonest: a visibility timeout just above a task's length, looked at every second.
"""

from __future__ import annotations

import os

from benchmarks import noop_chain
from benchmarks.recovery_gate import pass_gate

DEFAULTS = "BENCHMARK_KOMBU_DEFAULTS"
"""The environment variable that leaves kombu's own intervals for looking."""

VISIBILITY_SECONDS = 10
"""As short as is safe for tasks of a few seconds: a longer task would run twice at once."""

app = noop_chain.app
app.conf.broker_transport_options = {"visibility_timeout": VISIBILITY_SECONDS}
if not os.environ.get(DEFAULTS):
    app.conf.broker_transport_options |= {"unacked_restore_interval": 1, "unacked_restore_throttle": 1}


def _behind_the_gate(session_id: str, message_id: str) -> None:
    pass_gate(message_id)


# The task is told to run something else before a worker looks at it.
noop_chain.TASKS[2].run = _behind_the_gate
