"""Ours: the six stages of noop_stages.py, the third behind the gate (`celery -A benchmarks.recovery_stages`)."""

from __future__ import annotations

import dataclasses

from benchmarks import noop_stages
from benchmarks.recovery_gate import pass_gate
from tasks.stage import Outcome, StageRun

app = noop_stages.app

_held = noop_stages.declared[2]
_work = _held.spec.work


def _behind_the_gate(run: StageRun) -> Outcome:
    pass_gate(run.message_id)
    return _work(run)


type(_held).spec = dataclasses.replace(_held.spec, work=_behind_the_gate)
