"""Two recorders that store in any order, and are held at any moment: a poller that goes on `after` misses nothing."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.parts.waiting import wait_for
from tests.web.site import Site
from web.feed.history import History
from web.recorder import Recorder

PLACES = ("recorder.gathered", "recorder.committed")
BATCH = {"SPANFEED_RECORDER_BATCH_LIMIT_EVENTS": "5", "SPANFEED_RECORDER_BATCH_WAIT_MS": "1"}


class Gates:
    """Files that open the places at which recorders are held: a place is open while its file is there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def armed(self, name: str) -> str:
        """The setting that holds the recorder `name` at both places while they are shut."""
        return ",".join(f"{place}=hold@{self.file(name, place)}" for place in PLACES)

    def file(self, name: str, place: str) -> Path:
        """The file of one place."""
        return self._folder / f"{name}-{place}"

    def turn(self, name: str, place: str, opened: bool) -> None:
        """Opens a place or shuts it."""
        file = self.file(name, place)
        if opened:
            file.touch()
        else:
            file.unlink(missing_ok=True)

    def open_all(self) -> None:
        """Lets everybody go."""
        for name in "ab":
            for place in PLACES:
                self.turn(name, place, opened=True)


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    """All are shut."""
    folder = tmp_path / "gates"
    folder.mkdir()
    return Gates(folder)


@pytest.fixture
def pair(make_site: Callable[..., Site], gates: Gates, database_url: str) -> Iterator[tuple[Site, list[Recorder]]]:
    """Two recorders with a database of each kind, not running yet; whatever they do, they end."""
    made = [make_site(DATABASE_URL=database_url, SPANFEED_FAILPOINTS=gates.armed(name), **BATCH) for name in "ab"]
    site = made[0].migrated()
    recorders = [one.recorder() for one in made]
    threads = [threading.Thread(target=recorder.run) for recorder in recorders]
    for thread in threads:
        thread.start()
    yield site, recorders
    gates.open_all()
    for recorder in recorders:
        recorder.stop()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


class Poller:
    """A client that asks again and again for what came behind the newest event it has seen."""

    def __init__(self, site: Site, session_id: str, chance: random.Random) -> None:
        self._history = History(site.bus, site.store)
        self._session_id = session_id
        self._chance = chance
        self.seen: list[int] = []

    def poll(self) -> None:
        """One page, of any size."""
        after = self.seen[-1] if self.seen else 0
        self.seen += [event.id for event in self._history.after(self._session_id, after, self._chance.randint(1, 9))]

    def until(self, ids: list[int]) -> None:
        """Polls until it has seen as many as there are, and compares after every page."""

        def complete() -> bool:
            self.poll()
            assert self.seen == ids[: len(self.seen)]
            return len(self.seen) == len(ids)

        wait_for(complete, "the poller's last event")


@pytest.mark.parametrize("place", PLACES)
def test_the_later_batch_is_stored_first(
    pair: tuple[Site, list[Recorder]], gates: Gates, session_id: str, place: str
) -> None:
    """A poller would go on behind the later batch, and never be given the earlier one."""
    site, recorders = pair
    for name in "ab":
        for other in PLACES:
            gates.turn(name, other, opened=name == "b" or other != place)
    ids = site.emit(session_id, 40)
    poller = Poller(site, session_id, random.Random(1))
    wait_for(lambda: recorders[1].stored > 0, "the second recorder's first batch")
    poller.until(ids)
    ids += site.emit(session_id, 10)
    poller.until(ids)
    gates.open_all()
    wait_for(lambda: recorders[0].stored + recorders[1].stored >= 50, "the record of all")
    late = Poller(site, session_id, random.Random(2))
    late.until(ids)


@pytest.mark.parametrize("number", [1, 2])
def test_whatever_the_order_of_commits_nothing_is_missed(
    pair: tuple[Site, list[Recorder]], gates: Gates, number: int
) -> None:
    """Under load, with two recorders, some clients would miss an event now and then, and nobody could say which."""
    site, _ = pair
    chance = random.Random(number)
    for _ in range(6):
        session_id = uuid.uuid4().hex
        ids: list[int] = []
        poller = Poller(site, session_id, chance)
        for _ in range(12):
            gates.turn(chance.choice("ab"), chance.choice(PLACES), opened=chance.random() < 0.6)
            ids += site.emit(session_id, chance.randint(1, 8))
            for _ in range(chance.randint(1, 4)):
                poller.poll()
                assert poller.seen == ids[: len(poller.seen)]
        poller.until(ids)
    gates.open_all()
