"""Steps of the start that run to their end, and starts that fail, inside one process."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from web.up.child import Child, Spec
from web.up.failures import StartFailed, StopRequested
from web.up.logs import BoundedLog, Lines
from web.up.supervisor import Supervisor
from web.up.terminal import Terminal

from .driven import until


def _python(name: str, code: str) -> Spec:
    return Spec(name, (sys.executable, "-c", code))


def test_a_step_that_fails_says_why(tmp_path: Path) -> None:
    """A migration that fails would be one more "status 1" without a reason."""
    with (
        Supervisor(tmp_path, Terminal(io.StringIO())) as supervisor,
        pytest.raises(StartFailed, match="migration ended with status 7") as failure,
    ):
        supervisor.run(_python("migration", "print('no such table'); raise SystemExit(7)"), 10)
    assert failure.value.tail == ("no such table",)


def test_a_step_that_works_is_not_run_again(tmp_path: Path) -> None:
    """The sample documents would be indexed over and over."""
    code = f"open({str(tmp_path / 'ran')!r}, 'a').write('x')"
    said = io.StringIO()
    with Supervisor(tmp_path, Terminal(said)) as supervisor:
        supervisor.run(_python("step", code), 10)
        assert not supervisor.wait_until(lambda: False, 0.7)
    assert (tmp_path / "ran").read_text() == "x"
    assert said.getvalue() == ""


def test_a_step_without_an_end_is_given_up(tmp_path: Path) -> None:
    """The start would wait for ever."""
    with (
        Supervisor(tmp_path, Terminal(io.StringIO())) as supervisor,
        pytest.raises(StartFailed, match=r"did not end within 0\.2 s"),
    ):
        supervisor.run(_python("step", "import time; time.sleep(60)"), 0.2)


def test_a_start_ends_early_when_a_process_cannot_live(tmp_path: Path) -> None:
    """Thirty seconds of silence would come before the reason that was known after two."""
    with Supervisor(tmp_path, Terminal(io.StringIO())) as supervisor:
        supervisor.start(_python("web", "raise SystemExit('no module named flask')"))
        with pytest.raises(StartFailed, match="web keeps ending, last with status 1") as failure:
            supervisor.wait_until(lambda: False, 20)
    assert failure.value.tail[-1] == "no module named flask"


def test_a_program_that_is_missing_is_one_sentence(tmp_path: Path) -> None:
    """A missing tool would be a traceback."""
    with (
        Supervisor(tmp_path, Terminal(io.StringIO())) as supervisor,
        pytest.raises(StartFailed, match="/nonesuch/tool cannot be run: No such file or directory"),
    ):
        supervisor.start(Spec("tool", ("/nonesuch/tool",)))


def test_ctrl_c_is_heard_while_a_step_runs(tmp_path: Path) -> None:
    """A long first start could not be broken off."""
    before = signal.getsignal(signal.SIGINT)
    press = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    with Supervisor(tmp_path, Terminal(io.StringIO())) as supervisor:
        press.start()
        with pytest.raises(StopRequested):
            supervisor.run(_python("step", "import time; time.sleep(60)"), 10)
    press.join()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_child_that_closes_its_output_is_left_in_peace(tmp_path: Path) -> None:
    """The supervisor would burn a whole core on an output at its end."""
    code = "import os, time; os.close(1); os.close(2); time.sleep(60)"
    turns = 0

    def count() -> bool:
        nonlocal turns
        turns += 1
        return False

    with Supervisor(tmp_path, Terminal(io.StringIO())) as supervisor:
        child = supervisor.start(_python("mute", code))
        assert supervisor.wait_until(lambda: child.silent, 10)
        supervisor.wait_until(count, 0.5)
        assert child.process_id is not None
    assert turns < 50


def test_the_pause_before_a_restart_doubles_up_to_a_bound(tmp_path: Path) -> None:
    """A process that never works again would be started ever more rarely, until never."""
    child = Child(_python("broken", ""), BoundedLog(tmp_path / "broken.log"))
    delays = []
    for _ in range(8):
        child.start()
        until(lambda: child.ended, "the end of the child")
        child.bury()
        delays.append(child.delay)
    child.close()
    assert delays == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_log_stays_below_its_bound(tmp_path: Path) -> None:
    """A talkative process would fill the disk."""
    log = BoundedLog(tmp_path / "x.log", limit_bytes=1_000)
    for number in range(100):
        log.write(f"{number:<49}\n".encode())
    log.close()
    sizes = [file.stat().st_size for file in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert max(sizes) <= 1_000
    assert (tmp_path / "x.log").read_text().splitlines()[-1].strip() == "99"


def test_a_line_without_an_end_is_cut() -> None:
    """One endless line would grow in memory for ever."""
    lines = Lines()
    cut = [line for _ in range(10) for line in lines.feed(b"x" * 10_000)]
    assert sum(map(len, cut)) == 70_000
    assert lines.flush() == [b"x" * 30_000]


def test_a_terminal_that_went_away_is_no_error() -> None:
    """Closing the reader of `make run | head` would bring everything down half-way."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream:
        terminal = Terminal(stream)
        terminal.say("unheard")
        terminal.say("unheard")
        assert not terminal.interactive
