"""The systemd units: the same processes as the Procfile's, ended as their programs want it, and valid."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.settings import Settings
from tests.parts.stack import BIN, ROOT
from web.cli import main

FOLDER = ROOT / "deploy" / "systemd"
INSTALLED = "/srv/spanfeed"
COMMON = FOLDER / "spanfeed-.service.d" / "common.conf"
SERVICES = sorted(FOLDER.glob("*.service"))
GUNICORN_SECONDS = 3

Unit = dict[str, list[str]]


def _read(file: Path) -> Unit:
    """The values of each name in a unit, in their order."""
    values: Unit = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            values.setdefault(name, []).append(value)
    return values


def _process(file: Path) -> str:
    """The Procfile's name of a service."""
    return file.stem.removeprefix("spanfeed-").rstrip("@")


def _command(line: str) -> list[str]:
    """A command's words, without the folder of its program."""
    program, *arguments = shlex.split(line)
    return [Path(program).name, *arguments]


def _procfile() -> dict[str, list[str]]:
    lines = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()
    return {name: shlex.split(command) for name, _, command in (line.partition(":") for line in lines)}


def test_each_process_of_the_procfile_has_its_unit() -> None:
    """Without this a server with systemd would lack a process, or run another command than all others."""
    commands = {_process(file): _command(_read(file)["ExecStart"][0]) for file in SERVICES}
    assert commands["worker"][-2:] == ["--name", "%i"]
    assert commands | {"worker": commands["worker"][:-2]} == _procfile()


@pytest.mark.parametrize("file", SERVICES, ids=_process)
def test_a_unit_runs_a_command_that_there_is(file: Path) -> None:
    """Without this a unit would fail at its start, with a command that was renamed."""
    [line] = _read(file)["ExecStart"]
    assert line.startswith(f"{INSTALLED}/.venv/bin/")
    program, *arguments = _command(line)
    assert (BIN / program).exists()
    if program == "spanfeed":
        assert arguments[0] in main.commands
        options = {option for parameter in main.commands[arguments[0]].params for option in parameter.opts}
        assert {word for word in arguments if word.startswith("--")} <= options


@pytest.mark.parametrize("file", [file for file in SERVICES if _process(file) != "release"], ids=_process)
def test_a_unit_is_started_again_and_ended_as_its_program_wants_it(file: Path) -> None:
    """Without this a process that died would stay away, or a stage be cut off in its work."""
    unit = _read(file)
    assert unit["Restart"] == ["always"]
    assert unit["WantedBy"] == ["spanfeed.target"]
    # Otherwise systemd sends SIGTERM to the children too: a worker's would drop their stages.
    assert unit["KillMode"] == ["mixed"]
    needed = {"worker": Settings.stage_time_limit_seconds, "web": GUNICORN_SECONDS}.get(_process(file), 1)
    assert float(unit["TimeoutStopSec"][0]) > needed


def test_all_units_are_confined() -> None:
    """Without this a fault in a process would be a fault of the whole machine."""
    common = _read(COMMON)
    for name in ("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome", "RestrictNamespaces"):
        assert common[name] == ["true"]
    assert common["ProtectSystem"] == ["strict"]
    assert common["User"] == ["spanfeed"]
    assert common["EnvironmentFile"] == ["/etc/spanfeed.env"]
    # The home folder is the one place that can be written to.
    home = dict(word.partition("=")[::2] for word in shlex.split(common["Environment"][0]))["SPANFEED_HOME"]
    assert home == f"/var/lib/{common['StateDirectory'][0]}"


def _analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        # Also under CI=true: a container needs no systemd, and the tests above have read the units.
        pytest.skip("systemd-analyze cannot be had on this machine")
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:", "SYSTEMD_COLORS": "0"}
    return subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units as they would lie on a server whose code is this checkout."""
    folder = tmp_path / "units"
    shutil.copytree(FOLDER, folder)
    for file in folder.rglob("*"):
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            file.write_text(text.replace(f"{INSTALLED}/.venv/bin", str(BIN)).replace(INSTALLED, str(ROOT)))
    return folder


def _names(folder: Path) -> list[str]:
    return [file.name.replace("@.", "@1.") for file in sorted(folder.iterdir()) if file.is_file()]


def test_systemd_takes_the_units(installed: Path) -> None:
    """Without this systemd would refuse a unit, or pass over a line that is misspelt."""
    done = _analyze(installed, "verify", "--man=no", *_names(installed))
    assert (done.returncode, done.stderr) == (0, "")
    (installed / "spanfeed-.service.d" / "more.conf").write_text("[Service]\nProtectSistem=strict\n")
    assert "ProtectSistem" in _analyze(installed, "verify", "--man=no", "spanfeed-beat.service").stderr


def test_systemd_finds_the_units_confined(installed: Path) -> None:
    """Without this a line that lets a process out would go unnoticed."""
    services = [name for name in _names(installed) if name.endswith(".service")]
    done = _analyze(installed, "security", "--offline=true", "--threshold=20", "--no-pager", *services)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze is older than version 250")
    assert done.returncode == 0, done.stdout[-2_000:]
