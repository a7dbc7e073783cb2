"""The processes of a running Spanfeed, in the order in which they are asked to end."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from pipeline.settings import Settings
from web.relay.sockets import are_possible
from web.up.child import Spec
from web.up.flower import flower_argv, flower_environment
from web.up.launch import ROOT, child_environment, script
from web.up.worker import beat_argv, deliver_argv, worker_argv

# Seconds after Ctrl-C: doors first, then who works, then who writes down; Redis goes at 4.0.
_DOORS, _WORKER, _RECORDER = 1.2, 2.8, 3.4


def first(settings: Settings) -> list[Spec]:
    """What must be there before the page is: relays, web, worker, recorder."""
    environment = child_environment(settings)
    web = (sys.executable, "-m", "gunicorn", "-c", "web/gunicorn_config.py", "web.wsgi:app")
    return [
        *(_relay(number, environment) for number in range(settings.relays if are_possible() else 0)),
        Spec("web", web, environment, ROOT, stop_by_seconds=_DOORS),
        Spec("worker", worker_argv(settings), environment, ROOT, stop_by_seconds=_WORKER),
        *(_recorder(number, environment) for number in range(settings.recorders)),
    ]


def _relay(number: int, environment: Mapping[str, str]) -> Spec:
    name = f"relay-{number}" if number else "relay"
    command = (script("spanfeed"), "relay", *(("--number", str(number)) if number else ()))
    return Spec(name, command, environment, ROOT, stop_by_seconds=_DOORS)


def _recorder(number: int, environment: Mapping[str, str]) -> Spec:
    name = f"recorder-{number}" if number else "recorder"
    return Spec(name, (script("spanfeed"), "record"), environment, ROOT, stop_by_seconds=_RECORDER)


def later(settings: Settings) -> list[Spec]:
    """What nobody waits for: started when the page is there, so that it is there sooner."""
    environment = child_environment(settings)
    with_password = child_environment(settings, flower_environment(settings))
    return [
        Spec("deliver", deliver_argv(settings), environment, ROOT, stop_by_seconds=_WORKER),
        Spec("beat", beat_argv(settings), environment, ROOT, stop_by_seconds=_DOORS),
        Spec("flower", flower_argv(settings), with_password, ROOT, stop_by_seconds=_DOORS),
    ]


def once(settings: Settings, name: str, *arguments: str, shown: bool = False) -> Spec:
    """A `spanfeed` command that is run to its end."""
    return Spec(name, (script("spanfeed"), *arguments), child_environment(settings), ROOT, shown=shown)
