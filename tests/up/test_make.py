"""The Makefile and the files and scripts beside it."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

from pipeline.settings import Settings, load, read_environment_file

from .driven import ROOT


def _run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False
    )


def test_make_alone_lists_what_there_is() -> None:
    """A newcomer who types `make` would not learn what to type next."""
    listed = _run("make")
    assert listed.returncode == 0
    for target in ("run", "setup", "page", "test", "lint", "format", "lock", "audit", "sbom", "clean"):
        assert f"  make {target} " in listed.stdout


def test_the_packages_that_are_audited_are_the_ones_that_are_installed() -> None:
    """Without this a known weakness could be in an installation, and in none of the lists that are looked through."""
    planned = _run("make", "--dry-run", "audit", "sbom", "lint").stdout
    for words in ("pip-audit --strict", "cyclonedx-py requirements requirements.txt", "bandit --quiet"):
        assert words in planned
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        pinned = [line for line in lines if not line.startswith((" ", "#")) and line]
        assert name in planned
        assert all(re.match(r"[a-z0-9_.\[\]-]+==[^ ]+ ", line) for line in pinned)
        assert sum("--hash=sha256:" in line for line in lines) >= len(pinned)


def test_a_missing_python_is_one_sentence(tmp_path: Path) -> None:
    """A missing tool would be a page of errors."""
    refused = _run("scripts/setup.sh", PYTHON="nonesuch", SPANFEED_HOME=str(tmp_path))
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "needs Python 3.11 or newer, but nonesuch does not run" in refused.stderr


def test_an_old_python_is_one_sentence(tmp_path: Path) -> None:
    """An old Python would fail deep inside an installation."""
    old = tmp_path / "python3"
    code = "import sys; sys.version_info = (3, 9, 2); exec(sys.argv[1])"
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$2"\n')
    old.chmod(0o755)
    refused = _run("scripts/setup.sh", PYTHON=str(old), SPANFEED_HOME=str(tmp_path))
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert f"{old} is 3.9; choose another" in refused.stderr


def test_what_runs_beside_one_another_is_told_in_one_piece(tmp_path: Path) -> None:
    """A fault that one of several checks finds would pass unseen, or drown in what the others say."""
    # Each waits until the other has begun, so that they can only end when they run beside one another.
    code = (
        "import pathlib, sys, time\n"
        "folder, mine, others, status = pathlib.Path(sys.argv[1]), *sys.argv[2:]\n"
        "(folder / mine).touch()\n"
        "while not (folder / others).exists():\n    time.sleep(0.01)\n"
        "for number in range(500):\n    print(mine, number, flush=True)\n"
        "sys.exit(int(status))"
    )
    begin = (sys.executable, "-c", code, str(tmp_path))
    beside = (sys.executable, "scripts/beside.py")
    ran = _run(*beside, *begin, "left", "right", "0", "--", *begin, "right", "left", "3")
    told = [[f"{name} {number}" for number in range(500)] for name in ("left", "right")]
    assert ran.stdout.splitlines() in (told[0] + told[1], told[1] + told[0])
    assert (ran.returncode, ran.stderr.count("Failed: ")) == (1, 1)
    assert ran.stderr.endswith("right left 3\n")
    assert _run(*beside, "true", "--", "nonesuch").stderr == "Failed: nonesuch\n"
    assert _run(*beside, "true", "--", "true").returncode == 0


def test_a_long_step_is_one_line(tmp_path: Path) -> None:
    """Pages of an installer's output would bury the one short block."""
    log = tmp_path / "logs" / "setup.log"
    command = (sys.executable, "-c", "for number in range(500): print('Collecting', number)")
    ran = _run(sys.executable, "scripts/progress.py", "Working", str(log), "--", *command)
    assert ran.returncode == 0
    assert re.fullmatch(r"Working … done in \d+ s\n", ran.stdout)
    assert log.read_text().count("\n") == 500


def test_a_step_that_fails_shows_the_end_of_its_log(tmp_path: Path) -> None:
    """The reason would stay hidden in a file."""
    log = tmp_path / "setup.log"
    command = (sys.executable, "-c", "raise SystemExit('disk full')")
    ran = _run(sys.executable, "scripts/progress.py", "Working", str(log), "--", *command)
    assert ran.returncode == 1
    assert "Working failed with status 1" in ran.stderr
    assert "    disk full" in ran.stderr


def test_every_variable_of_the_example_is_a_setting() -> None:
    """Somebody would set a variable that nothing reads."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    known = {name for field in dataclasses.fields(Settings) for name in field.metadata["env"]}
    named = {line.lstrip("# ").split("=")[0] for line in text.splitlines() if "=" in line}
    assert named
    assert named <= known


def test_the_example_can_be_used_as_it_is(tmp_path: Path) -> None:
    """`cp .env.example .env` would break the start, or change the defaults unasked."""
    example = tmp_path / ".env"
    example.write_text((ROOT / ".env.example").read_text(encoding="utf-8"), encoding="utf-8")
    assert load(read_environment_file(example)) == Settings()


def test_the_procfile_names_every_process() -> None:
    """A platform that reads the Procfile would run without the recorder, or without Flower."""
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    assert lines == {
        "web": "gunicorn -c web/gunicorn_config.py web.wsgi:app",
        "relay": "spanfeed relay",
        "worker": "spanfeed worker",
        "beat": "spanfeed beat",
        "recorder": "spanfeed record",
        "deliver": "spanfeed deliver",
        "flower": "spanfeed flower",
        "release": "spanfeed db upgrade",
    }
