"""What the recorder takes at once: bounded by events and by bytes, and nothing is left lying."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tests.web.site import Site
from web.recorder_batch import Batches

MEBIBYTE = 1_000_000


def batches(site: Site) -> list[list[int]]:
    """The sizes of the entries, batch by batch, until the log is empty."""
    gathered = Batches(site.settings, site.bus.log, "a recorder")
    found = []
    while batch := gathered.ready():
        site.bus.log.acknowledge(batch)
        found.append([len(entry.wire or b"") for entry in batch])
    return found


def test_large_events_come_few_at_a_time(make_site: Callable[..., Site], session_id: str) -> None:
    """A thousand large events would take more memory than the recorder has; it would be killed, again and again."""
    site = make_site(SPANFEED_RECORDER_BATCH_LIMIT_BYTES="4000000")
    site.emit(session_id, 100)
    site.emit(session_id, 40, data={"text": "x" * MEBIBYTE})
    site.emit(session_id, 100)
    sizes = batches(site)
    assert sum(map(len, sizes)) == 240
    assert max(map(sum, sizes)) <= 4_000_000 + 16 * (MEBIBYTE + 1_000)
    assert max(sum(size > MEBIBYTE for size in batch) for batch in sizes) <= 20


def test_small_events_come_as_many_as_there_may_be(make_site: Callable[..., Site], session_id: str) -> None:
    """After one large event, the recorder would be slow for ever."""
    site = make_site(SPANFEED_RECORDER_BATCH_LIMIT_EVENTS="100")
    site.emit(session_id, 1, data={"text": "x" * MEBIBYTE})
    site.emit(session_id, 249)
    assert list(map(len, batches(site))) == [100, 100, 50]
    assert site.bus.log.newest_large() > 0


def test_what_a_dead_recorder_left_comes_bounded_too(make_site: Callable[..., Site], session_id: str) -> None:
    """The heir of a recorder that died with large events would die of them."""
    site = make_site(SPANFEED_RECORDER_BATCH_LIMIT_BYTES="4000000")
    site.emit(session_id, 30, data={"text": "x" * MEBIBYTE})
    assert len(site.bus.log.read_new("a recorder that died", 100, 0)) == 30
    heir = Batches(site.settings, site.bus.log, "an heir", claim_idle_ms=0)
    batch = heir.gather(threading.Event())
    assert 0 < len(batch) <= 20
