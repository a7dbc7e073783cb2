"""The spool's file: in order, bounded, whole after a kill, left to the next when its process is gone."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.left_spools import left_spools
from pipeline.spool import Spool
from pipeline.spool_lines import Entry
from tests.parts.missing import missing

ROOM = 100_000
FILES = 8


def entry(number: int, word: str = "audit", size: int = 10) -> Entry:
    """An entry that happened `number` microseconds after the beginning of time."""
    return Entry(word, number, b"%d" % number + b"." * size)


def spool_in(folder: Path, limit_bytes: int = ROOM) -> Spool:
    """A spool of this process."""
    return Spool(folder, limit_bytes, FILES)


def drained(spool: Spool) -> list[int]:
    """The times of all entries, each taken out."""
    found = []
    while (head := spool.head()) is not None:
        assert head.body.startswith(b"%d." % head.at_us)
        found.append(head.at_us)
        spool.sent()
    return found


def left(folder: Path) -> list[list[int]]:
    """What dead processes have left, taken out."""
    return [drained(spool) for spool in left_spools(folder, ROOM, FILES)]


def files(folder: Path) -> list[str]:
    """The endings of the files."""
    return sorted(path.suffix for path in folder.iterdir()) if folder.exists() else []


def test_what_waits_comes_out_in_order_and_leaves_nothing(tmp_path: Path) -> None:
    """Without this progress would be told backwards, and the disk would fill with what was sent long ago."""
    folder = tmp_path / "spool"
    spool = spool_in(folder)
    assert (spool.pending, spool.head(), files(folder)) == (False, None, [])
    for number in range(1, 300):
        assert spool.keep(entry(number, size=1 + number * 7 % 50))
    assert spool.pending
    assert files(folder) == [".spool"]
    assert (folder.stat().st_mode & 0o777, next(folder.iterdir()).stat().st_mode & 0o777) == (0o700, 0o600)
    assert drained(spool) == list(range(1, 300))
    assert (spool.pending, spool.losses().total, files(folder)) == (False, 0, [])
    assert spool.keep(entry(300))
    assert drained(spool) == [300]


def test_an_entry_of_any_size_comes_out_whole(tmp_path: Path) -> None:
    """Without this an event with much data would be torn, or hold up all behind it."""
    spool = spool_in(tmp_path, 5_000_000)
    sizes = (1, 4_000, 4_096, 70_000, 1_200_000)
    for number, size in enumerate(sizes, 1):
        spool.keep(entry(number, size=size))
    for number, size in enumerate(sizes, 1):
        found = spool.head()
        assert found is not None
        assert found.body == entry(number, size=size).body
        spool.sent()


def test_an_entry_stays_until_it_is_sent(tmp_path: Path) -> None:
    """Without this what was taken by a sender that failed would be lost."""
    spool = spool_in(tmp_path)
    spool.keep(entry(1))
    assert (spool.head(), spool.head()) == (spool.head(), spool.head())
    assert drained(spool) == [1]


def test_a_full_spool_drops_progress_first_and_the_oldest_first(tmp_path: Path) -> None:
    """Without this an audit entry would be lost for the sake of a progress bar."""
    spool = spool_in(tmp_path, 20_000)
    for number in range(1, 101):
        assert spool.keep(entry(number, "progress" if number % 2 else "audit", size=250))
    losses, size = spool.losses(), next(tmp_path.iterdir()).stat().st_size
    assert size <= 20_000
    assert set(losses.counts) == {"progress"}
    assert (losses.since_us, losses.until_us) == (1, 2 * losses.total - 1)
    assert drained(spool) == [n for n in range(1, 101) if n % 2 == 0 or n > losses.until_us]
    assert spool.pending
    spool.told(losses)
    assert (spool.pending, files(tmp_path)) == (False, [])


def test_without_progress_the_oldest_go(tmp_path: Path) -> None:
    """Without this the newest events would be lost, or the file would grow without end."""
    spool = spool_in(tmp_path, 20_000)
    for number in range(1, 101):
        assert spool.keep(entry(number, "audit" if number % 2 else "security", size=250))
    losses = spool.losses()
    left_over = drained(spool)
    assert left_over == list(range(losses.total + 1, 101))
    assert losses.counts["audit"] - losses.counts["security"] in {0, 1}
    assert len(left_over) > 40


def test_what_is_being_sent_is_not_dropped(tmp_path: Path) -> None:
    """Without this an event could be counted as lost and sent all the same."""
    spool = spool_in(tmp_path, 20_000)
    spool.keep(entry(1, "progress", size=250))
    head = spool.head()
    for number in range(2, 200):
        spool.keep(entry(number, "progress", size=250))
    assert spool.head() == head
    losses = spool.losses()
    assert losses.since_us == 2
    assert drained(spool) == [1, *range(losses.until_us + 1, 200)]


def test_an_entry_that_is_larger_than_the_spool_is_counted(tmp_path: Path) -> None:
    """Without this one huge event would push all others out."""
    spool = spool_in(tmp_path, 20_000)
    assert spool.keep(entry(1))
    assert not spool.keep(entry(2, size=20_000))
    assert spool.losses().counts == {"audit": 1}
    assert drained(spool) == [1]


def test_losses_that_came_while_others_were_told_are_told_next(tmp_path: Path) -> None:
    """Without this a gap would be told too small."""
    spool = spool_in(tmp_path, 1_000)
    spool.keep(entry(1, size=2_000))
    told = spool.losses()
    spool.keep(entry(2, "progress", size=2_000))
    spool.told(told)
    assert spool.pending
    assert (spool.losses().counts, spool.losses().until_us) == ({"progress": 1}, 2)


_KEEPER = """
import os, signal, sys
from pathlib import Path
from pipeline.spool import Spool
from pipeline.spool_lines import Entry
spool = Spool(Path(sys.argv[1]), 100_000, 8)
for number in range(1, 51):
    spool.keep(Entry("audit", number, b"%d." % number))
for _ in range(10):
    spool.head()
    spool.sent()
spool.head()
print("kept", flush=True)
sys.stdin.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has kept 50 entries and sent 10; a line makes it kill itself."""
    command = [sys.executable, "-c", _KEEPER, str(tmp_path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "kept\n"
    yield process
    process.kill()
    process.communicate(timeout=10)


def test_a_killed_process_leaves_what_it_had_kept(tmp_path: Path, keeper: subprocess.Popen[str]) -> None:
    """Without this the events of a killed worker would be lost, or those of a living one be sent twice."""
    assert left(tmp_path) == []
    assert files(tmp_path) == [".spool"]
    keeper.communicate("go\n", timeout=10)
    assert keeper.returncode == -signal.SIGKILL
    assert left(tmp_path) == [list(range(11, 51))]
    assert files(tmp_path) == []


def test_one_sender_at_a_time(tmp_path: Path, keeper: subprocess.Popen[str]) -> None:
    """Without this two processes would send the same file."""
    keeper.communicate("go\n", timeout=10)
    first = left_spools(tmp_path, ROOM, FILES)
    spool = next(first)
    for number in range(11, 21):
        found = spool.head()
        assert found is not None
        assert found.at_us == number
        spool.sent()
    assert left(tmp_path) == []
    first.close()  # type: ignore[attr-defined]
    assert left(tmp_path) == [list(range(21, 51))]


def test_a_torn_last_line_is_not_an_entry(tmp_path: Path) -> None:
    """Without this a process that was killed in mid-write would leave something that nobody can send."""
    spool = spool_in(tmp_path)
    for number in (1, 2, 3):
        spool.keep(entry(number))
    spool.let_go()
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-5])
    assert left(tmp_path) == [[1, 2]]


@pytest.mark.parametrize("spoilt", [b"", b"x" * 100, b"x" * 511 + b"\naudit 1 1...\n"])
def test_a_file_without_a_header_is_read_from_its_start(tmp_path: Path, spoilt: bytes) -> None:
    """Without this a process that was killed as it made its file would block those that come after it."""
    (tmp_path / "1-dead.spool").write_bytes(spoilt)
    assert left(tmp_path) == ([[1]] if b"audit" in spoilt else [])
    assert files(tmp_path) == []


def test_a_line_that_nobody_can_read_is_counted(tmp_path: Path) -> None:
    """Without this one bad line would hold up all that lie behind it."""
    (tmp_path / "1-dead.spool").write_bytes(b"{}".ljust(511) + b"\naudit x\n\naudit 2 2...\n")
    (spool,) = [spool for spool in left_spools(tmp_path, ROOM, FILES) if drained(spool) == [2]]
    assert spool.losses().counts == {"unreadable": 2}


def test_files_are_limited(tmp_path: Path) -> None:
    """Without this workers that die one after the other would fill the disk while Redis is away."""
    spools = [spool_in(tmp_path) for _ in range(FILES + 1)]
    kept = [spool.keep(entry(number)) for number, spool in enumerate(spools, 1)]
    assert kept == [True] * FILES + [False]
    assert spools[-1].losses().total == 1
    for spool in spools:
        spool.let_go()
    assert sorted(left(tmp_path)) == [[number] for number in range(1, FILES + 1)]


def test_threads_write_whole_lines(tmp_path: Path) -> None:
    """Without this two threads of a stage would tear each other's events."""
    spool = spool_in(tmp_path, 10_000_000)
    threads = [
        threading.Thread(target=lambda n=n: [spool.keep(entry(n * 1_000 + i, size=600)) for i in range(1, 201)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    found: list[int] = []
    while any(thread.is_alive() for thread in threads):
        found += drained(spool)
    found += drained(spool)
    assert sorted(found) == [n * 1_000 + i for n in range(4) for i in range(1, 201)]
    assert [n for n in found if n < 1_000] == list(range(1, 201))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    with contextlib.suppress(OSError):
        if os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0:
            yield folder
            subprocess.run(["umount", "-l", str(folder)], check=True)
            return
    missing("a small disk (mounting a tmpfs)")


def test_a_full_disk_is_told_once_and_costs_nothing_else(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without this a full disk would break the chat, or fill the log as well."""
    spool = spool_in(small_disk, 1_000_000)
    with caplog.at_level(logging.ERROR):
        kept = [number for number in range(1, 301) if spool.keep(entry(number, size=400))]
    assert len(caplog.records) == 1
    assert "No space left" in caplog.text
    assert 50 < len(kept) < 200
    assert spool.losses().total == 300 - len(kept)
    assert drained(spool) == kept
    spool.told(spool.losses())
    assert (spool.pending, files(small_disk)) == (False, [])
    assert spool.keep(entry(301))
    assert drained(spool) == [301]


def test_a_disk_without_any_room_is_told(small_disk: Path) -> None:
    """Without this the first event after the disk was filled would raise into a stage."""
    with contextlib.suppress(OSError), (small_disk / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(b"x" * 4_096)
    spool = spool_in(small_disk)
    assert not spool.keep(entry(1))
    assert (spool.pending, spool.losses().total, spool.head()) == (True, 1, None)
    (small_disk / "ballast").unlink()
    assert spool.keep(entry(2))
    assert drained(spool) == [2]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without this a home folder of somebody else's would break the chat."""
    (tmp_path / "file").touch()
    spool = spool_in(tmp_path / "file" / "spool")
    assert not spool.keep(entry(1))
    assert "cannot keep them" in caplog.text
