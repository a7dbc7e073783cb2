"""The home folder, its lock, and the secrets kept in it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.errors import SettingError
from pipeline.settings import Settings
from web.up import home
from web.up.failures import StartFailed
from web.up.keys import kept, with_secrets

from .driven import ROOT, alive, until


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_made_once_and_are_nobody_elses(tmp_path: Path) -> None:
    """Each start would invalidate every key and cookie, or show them to the whole machine."""
    settings = Settings(home=str(tmp_path / "new" / "var"))
    folder = home.prepare(settings)
    first = with_secrets(settings)
    assert with_secrets(settings) == first
    assert first.api_key.startswith("sf_")
    assert len(first.api_key) == 46
    assert first.api_key[3:].isalnum()
    assert len({first.api_key[3:], first.secret_key, first.key_pepper, first.flower_password}) == 4
    assert _mode(folder) == 0o700
    assert {file.name: _mode(file) for file in folder.iterdir() if file.is_file()} == {
        "api_key": 0o600,
        "key_pepper": 0o600,
        "secret_key": 0o600,
        "flower_password": 0o600,
    }


def test_a_secret_of_the_owners_choice_is_used_and_not_written_down(tmp_path: Path) -> None:
    """A key from a secret store would end up in a file, or be ignored."""
    settings = with_secrets(Settings(home=str(tmp_path), api_key="mine", flower_password="mine too"))
    assert (settings.api_key, settings.flower_password) == ("mine", "mine too")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["key_pepper", "secret_key"]


def test_modes_that_were_loosened_are_tightened(tmp_path: Path) -> None:
    """A careless copy would leave the key readable for everyone."""
    settings = Settings(home=str(tmp_path))
    with_secrets(settings)
    tmp_path.chmod(0o755)
    (tmp_path / "api_key").chmod(0o644)
    home.prepare(settings)
    with_secrets(settings)
    assert _mode(tmp_path) == 0o700
    assert _mode(tmp_path / "api_key") == 0o600


def test_processes_that_start_together_agree_on_a_secret(tmp_path: Path) -> None:
    """Started from a Procfile, the web server and Flower would each make a key of their own."""
    found: list[str] = []
    together = threading.Barrier(8)

    def make() -> None:
        together.wait(10)
        found.append(kept(tmp_path / "secret"))

    makers = [threading.Thread(target=make) for _ in range(8)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join(10)
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["secret"]


def test_an_empty_secret_is_made_anew(tmp_path: Path) -> None:
    """A crash or a full disk would leave a key that is the empty string."""
    (tmp_path / "secret").touch()
    assert len(kept(tmp_path / "secret")) == 43


def test_a_shared_folder_is_refused(tmp_path: Path) -> None:
    """SPANFEED_HOME=/tmp would close /tmp to every other program."""
    tmp_path.chmod(0o1777)
    with pytest.raises(SettingError, match="shared with others"):
        home.prepare(Settings(home=str(tmp_path)))
    assert _mode(tmp_path) == 0o1777


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    """A mistyped SPANFEED_HOME would be a traceback."""
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match="cannot be used"):
        home.prepare(Settings(home=str(tmp_path / "file")))


def test_a_second_start_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    """Two starts would fight over one database."""
    with home.locked(tmp_path):
        began = time.monotonic()
        with pytest.raises(StartFailed, match=f"already running in .*process {os.getpid()}"), home.locked(tmp_path):
            pass
        assert time.monotonic() - began < 2
    with home.locked(tmp_path):
        pass


def test_a_start_waits_for_what_a_killed_one_left_behind(tmp_path: Path) -> None:
    """Right after a kill -9 the next start would fail on processes that are about to end."""
    code = (
        "import os, pathlib, subprocess, sys, time\n"
        "from web.up import home\n"
        "with home.locked(pathlib.Path(sys.argv[1])) as lock:\n"
        "    child = subprocess.Popen(['sleep', '0.7'], pass_fds=(lock,))\n"
        "    print(child.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    argv = (sys.executable, "-c", code, str(tmp_path))
    holder = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    with holder.stdout:
        left_over = int(holder.stdout.readline())
    holder.kill()
    holder.wait(5)
    with home.locked(tmp_path):
        until(lambda: not alive(left_over), "the end of what was left behind", seconds=0.5)
