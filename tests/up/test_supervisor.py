"""The supervisor, over real processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil

from .driven import GRANDCHILD, PROLOGUE, STEADY, STUBBORN, Driven, alive, until


def _write(folder: Path, **scripts: str) -> None:
    for name, text in scripts.items():
        (folder / f"{name}.py").write_text(text)


def test_a_child_that_dies_is_started_again_and_said_so(tmp_path: Path) -> None:
    """A killed worker would stay away, or come back without anybody knowing."""
    _write(tmp_path, steady=STEADY)
    with Driven(tmp_path, "steady") as driven:
        first = driven.process_id("steady")
        driven.hears("all started")
        os.kill(first, signal.SIGKILL)
        assert driven.hears("steady ended") == "steady ended with signal 9; started again"
        assert alive(driven.process_id("steady", other_than=first))


def test_a_child_that_keeps_dying_is_tried_less_and_less_often(tmp_path: Path) -> None:
    """A broken process would eat the machine by being started without a pause."""
    _write(tmp_path, broken="raise SystemExit(3)")
    with Driven(tmp_path, "broken") as driven:
        driven.hears("broken ended with status 3; started again")
        driven.hears("broken ended with status 3; started again")
        assert "broken ended with status 3; next try in 2 s" in driven.hears("next try")
        driven.hears("broken started again")
        assert "next try in 4 s" in driven.hears("next try")


def test_ctrl_c_ends_everything_within_five_seconds(tmp_path: Path) -> None:
    """Ctrl-C would hang on, or leave behind, a process that does not listen."""
    _write(tmp_path, stubborn=STUBBORN, grandchild=GRANDCHILD, steady=STEADY)
    with Driven(tmp_path, "steady", "stubborn") as driven:
        started = [driven.process_id(name) for name in ("steady", "stubborn", "grandchild")]
        driven.hears("all started")
        asked = time.monotonic()
        driven.process.send_signal(signal.SIGINT)
        driven.hears("all ended", seconds=5)
        assert driven.process.wait(5) == 0
        assert time.monotonic() - asked < 5
        until(lambda: not any(map(alive, started)), "the end of every process", seconds=1)


def test_a_second_ctrl_c_ends_everything_at_once(tmp_path: Path) -> None:
    """Whoever presses Ctrl-C twice would still be kept waiting."""
    _write(tmp_path, stubborn=STUBBORN, grandchild=GRANDCHILD, steady=STEADY)
    # In fifth place it would be given five seconds.
    names = ("stubborn", "steady", "steady", "steady", "steady")
    with Driven(tmp_path, *reversed(names)) as driven:
        started = [driven.process_id(name) for name in ("stubborn", "grandchild")]
        driven.hears("all started")
        driven.process.send_signal(signal.SIGINT)
        driven.hears("Ctrl-C again")
        first = time.monotonic()
        until(lambda: time.monotonic() - first > 0.5, "a second that is not taken for the first")
        driven.process.send_signal(signal.SIGINT)
        driven.hears("all ended", seconds=2)
        until(lambda: not any(map(alive, started)), "the end of every process", seconds=1)


def test_a_killed_supervisor_leaves_no_process_behind(tmp_path: Path) -> None:
    """After a kill -9 the old processes would hold the ports and the data of the next start."""
    _write(tmp_path, stubborn=STUBBORN, grandchild=GRANDCHILD, steady=STEADY)
    with Driven(tmp_path, "steady", "stubborn") as driven:
        started = [driven.process_id(name) for name in ("steady", "stubborn", "grandchild")]
        driven.hears("all started")
        started += [child.pid for child in psutil.Process(driven.process.pid).children()]
        driven.process.kill()
        until(lambda: not any(map(alive, started)), "the end of every process", seconds=20)


def test_a_killed_guard_is_replaced(tmp_path: Path) -> None:
    """Somebody's tidying up would silently take away the protection against leftovers."""
    _write(tmp_path, steady=STEADY)
    with Driven(tmp_path, "steady") as driven:
        steady = driven.process_id("steady")
        driven.hears("all started")
        supervisor = psutil.Process(driven.process.pid)
        guard = next(child for child in supervisor.children() if child.pid != steady)
        guard.kill()
        new = until(
            lambda: [child.pid for child in supervisor.children() if child.pid not in {steady, guard.pid}],
            "another guard",
        )
        # Only an executed guard listens; before that it is a copy of the supervisor.
        until(lambda: any("guard" in word for word in psutil.Process(new[0]).cmdline()), "the guard's program")
        driven.process.kill()
        until(lambda: not alive(steady) and not alive(new[0]), "the end of every process", seconds=20)


def test_the_ending_has_an_order(tmp_path: Path) -> None:
    """Redis would go before those who still have something to write."""
    notes = PROLOGUE + (
        "name = pathlib.Path(sys.argv[0]).stem\n"
        "def end(*_):\n"
        "    with (folder / 'order').open('a') as order: order.write(name + ' ')\n"
        "    raise SystemExit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "here(name)\n"
        "while True: time.sleep(60)\n"
    )
    names = ("web", "worker", "recorder", "redis")
    _write(tmp_path, **dict.fromkeys(names, notes))
    with Driven(tmp_path, *names) as driven:
        for name in names:
            driven.process_id(name)
        driven.hears("all started")
        driven.process.send_signal(signal.SIGTERM)
        driven.hears("all ended", seconds=20)
    assert (tmp_path / "order").read_text().split() == list(names)


def test_a_leader_may_let_its_own_children_finish(tmp_path: Path) -> None:
    """A stage in a worker's child would be cut off although the worker wants to see it through."""
    member = PROLOGUE + "here('member')\ntime.sleep(0.5)\n(folder / 'finished').write_text('yes')\n"
    leader = PROLOGUE + (
        "child = subprocess.Popen([sys.executable, str(folder / 'member.py'), str(folder)])\n"
        "def end(*_):\n"
        "    child.wait()\n"
        "    raise SystemExit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "here('leader')\n"
        "while True: time.sleep(60)\n"
    )
    _write(tmp_path, leader=leader, member=member)
    with Driven(tmp_path, "leader") as driven:
        driven.process_id("leader")
        driven.process_id("member")
        driven.hears("all started")
        driven.process.send_signal(signal.SIGTERM)
        driven.hears("all ended", seconds=20)
    assert (tmp_path / "finished").exists()


def test_what_the_children_write_is_in_their_logs_and_on_the_terminal_if_wanted(tmp_path: Path) -> None:
    """Nobody could find out why a process ended."""
    talk = PROLOGUE + "print('grüße', flush=True)\nprint('trouble', file=sys.stderr, flush=True)\ntime.sleep(60)\n"
    _write(tmp_path, talker=talk)
    with Driven(tmp_path, "talker", verbose=True) as driven:
        assert driven.hears("grüße") == "talker   | grüße"
        driven.hears("talker   | trouble")
        assert (tmp_path / "talker.log").read_text() == "grüße\ntrouble\n"


def test_quiet_is_the_default(tmp_path: Path) -> None:
    """The one short block would be lost among the children's lines."""
    _write(tmp_path, talker=PROLOGUE + "print('chatter', flush=True)\nhere('talker')\ntime.sleep(60)\n")
    with Driven(tmp_path, "talker") as driven:
        driven.process_id("talker")
        log = tmp_path / "talker.log"
        until(lambda: "chatter" in log.read_text(), "the line in the log")
        driven.process.send_signal(signal.SIGTERM)
        driven.hears("all ended")
        assert not any("chatter" in line for line in driven.said)
