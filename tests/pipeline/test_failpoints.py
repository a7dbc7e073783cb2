"""Failpoints: they do what they are armed for, once, and nothing otherwise."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.errors import RetrievalFailed, SpanfeedError
from pipeline.failpoints import Failpoints
from tests.parts.waiting import wait_for

_PROGRAM = """
import sys
from pipeline.failpoints import Failpoints
points = Failpoints(sys.argv[1])
print("before", flush=True)
points.reach("other.place")
points.reach("save.ended")
print("after", flush=True)
"""


def start(armed: str) -> subprocess.Popen[str]:
    """A process that comes by `save.ended`."""
    return subprocess.Popen([sys.executable, "-c", _PROGRAM, armed], stdout=subprocess.PIPE, text=True)


def test_the_first_process_dies_and_the_next_goes_on(tmp_path: Path) -> None:
    """A test of faults would kill the second try too, and prove nothing."""
    armed = f"think.begun=kill@{tmp_path / 'other'}, save.ended=kill@{tmp_path / 'killed'}"
    for code, said in ((-signal.SIGKILL, "before\n"), (0, "before\nafter\n")):
        with start(armed) as process:
            out, _ = process.communicate(timeout=30)
        assert (process.returncode, out) == (code, said)
    assert [file.name for file in tmp_path.iterdir()] == ["killed"]


def test_a_process_is_held_until_the_file_is_there(tmp_path: Path) -> None:
    """A test of faults could not freeze a worker at the one moment that matters."""
    with start(f"save.ended=hold@{tmp_path / 'go'}") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "before\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        (tmp_path / "go").touch()
        assert process.stdout.read() == "after\n"
        wait_for(lambda: process.poll() == 0 or None, "the end of the process")


def test_a_fault_is_raised_until_the_file_is_there(tmp_path: Path) -> None:
    """A test of faults could not make one collection fail."""
    points = Failpoints(f"search.docs=fail@{tmp_path / 'mended'}")
    with pytest.raises(RetrievalFailed):
        points.reach("search.docs", RetrievalFailed)
    with pytest.raises(SpanfeedError):
        points.reach("search.docs")
    points.reach("search.other", RetrievalFailed)
    (tmp_path / "mended").touch()
    points.reach("search.docs", RetrievalFailed)


def test_a_protection_is_switched_off_for_good(tmp_path: Path) -> None:
    """A test of faults could not show that a protection would be missed."""
    points = Failpoints(f"log.trim_by_length=on, save.ended=hold@{tmp_path / 'go'}")
    assert points.armed("log.trim_by_length")
    assert not points.armed("save.ended")
    assert not points.armed("recorder.acknowledge_first")
    points.reach("log.trim_by_length")


@pytest.mark.parametrize("armed", ["", " , ", "think.begun=kill@/nowhere/at/all"])
def test_unarmed_it_costs_nothing(armed: str) -> None:
    """Every stage of every user would pay for the tests."""
    points = Failpoints(armed)
    started = time.perf_counter()
    for _ in range(10_000):
        points.reach("save.ended")
    assert time.perf_counter() - started < 1
