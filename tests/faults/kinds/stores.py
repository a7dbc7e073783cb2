"""Redis and the database: killed, emptied, stopped, full. Kinds 6, 7, 8, 15 and 16."""

from __future__ import annotations

import contextlib
import random
import resource
import signal
import sqlite3
import time
from collections.abc import Iterator
from typing import Any

import redis as redis_library

from tests.faults.journal import Flush
from tests.faults.options import LOG
from tests.faults.run import Run
from tests.parts.waiting import wait_for

_FIRST_WAIT_SECONDS = 0.2
_PATIENCE_SECONDS = 10.0


def kill_redis(run: Run, rng: random.Random) -> str:
    """Kind 6: Redis is killed and started again with what it had written."""
    down = rng.uniform(0.0, 0.6)

    def restart() -> None:
        with run.world.store_lock:
            run.world.redis.stop(kill=True)
            time.sleep(down)
            run.world.redis.start()

    run.world.later(restart)
    return f"redis is killed, and back after {down:.1f} s"


def empty_redis(run: Run, rng: random.Random) -> str:
    """Kind 7: Redis loses everything at once."""
    with run.world.store_lock:
        entries, last = _take_everything(run)
        for _, fields in entries:
            run.witness.see(fields.get(b"e", b""))
        lost = frozenset(int(entry_id.partition(b"-")[0]) for entry_id, _ in entries)
        names = frozenset(entry_id.decode() for entry_id, _ in entries)
        run.world.flushes.append(Flush(int(last or 0), lost, names))
    return f"redis is emptied; {len(lost)} entries lay in the log"


def _take_everything(run: Run) -> tuple[list[tuple[bytes, dict[bytes, bytes]]], bytes | None]:
    """Empties Redis; gives what the log held at that moment, and its newest id."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with run.world.raw().pipeline(transaction=True) as pipe:
        while True:
            try:
                pipe.watch("sf:{0}:due")
                saving = not run.world.options.empties_while_saving and _is_saving(pipe)
                if saving and time.monotonic() < deadline:
                    pipe.reset()
                    time.sleep(0.01)
                    continue
                pipe.multi()
                pipe.xrange(LOG)
                pipe.hget("sf:{0}:clock", "last")
                pipe.flushall()
                entries, last, _ = pipe.execute()
                return entries, last
            except redis_library.exceptions.WatchError:
                continue


def _is_saving(client: Any) -> bool:
    """Whether any run is in its last stage; every step of a run changes `due`."""
    names = [f"sf:{{0}}:run:{run_id.decode()}" for run_id in client.zrange("sf:{0}:due", 0, -1)]
    return any(client.hmget(name, "cur", "state") == [b"save", b"running"] for name in names)


def stop_database(run: Run, rng: random.Random) -> str:
    """Kind 8: the database goes away, for a moment or a while; perhaps a recorder is killed meanwhile."""
    seconds = rng.uniform(0.3, 1.5) if rng.random() < 0.7 else rng.uniform(2.0, 4.0)
    name = rng.choice(run.world.fleet.named("recorder"))
    kill = rng.random() < (1.0 if run.world.options.breaks else 0.3)

    def away() -> None:
        with run.world.store_lock, _without_database(run):
            time.sleep(_FIRST_WAIT_SECONDS)
            if kill:
                time.sleep(seconds / 2)
                run.world.fleet.send(name, signal.SIGKILL)
            time.sleep(seconds)

    run.world.later(away)
    return f"the database is away for {seconds:.1f} s{f', and {name} is killed' if kill else ''}"


@contextlib.contextmanager
def _without_database(run: Run) -> Iterator[None]:
    postgres = run.world.postgres
    if postgres is not None:
        postgres.stop_now()
        try:
            yield
        finally:
            postgres.start()
        return
    # SQLite is never away; somebody else who writes for long is the same to those who wait.
    connection = sqlite3.connect(run.world.home / "spanfeed.db", timeout=20, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


def fill_disk(run: Run, rng: random.Random) -> str:
    """Kind 15: no file may grow any more, for Redis or for those who write SQLite's."""
    seconds = rng.uniform(0.5, 1.5)
    if run.world.postgres is None and rng.random() < 0.4:
        names = [*run.world.fleet.named("recorder"), *run.world.fleet.named("worker")]
        run.world.later(lambda: _full_for_processes(run, names, seconds))
        return f"the disk of recorders and workers is full for {seconds:.1f} s"
    run.world.later(lambda: _full_for_redis(run, seconds))
    return f"the disk of redis is full for {seconds:.1f} s"


def _full_for_redis(run: Run, seconds: float) -> None:
    redis = run.world.redis
    with run.world.store_lock:
        redis.limit_files(0)
        time.sleep(seconds)
        if redis.running:
            redis.limit_files(None)
            wait_for(lambda: _writes(run), "Redis's recovery from a full disk")
        else:
            # With `always` a server that cannot write its file ends itself.
            redis.stop(kill=True)
            redis.start()


def _writes(run: Run) -> bool:
    with contextlib.suppress(redis_library.exceptions.RedisError):
        return bool(run.world.raw().set("sf:faults:probe", "1"))
    return False


def _full_for_processes(run: Run, names: list[str], seconds: float) -> None:
    family = [process for name in names for process in run.world.fleet.family(name)]
    with run.world.store_lock:
        for process in family:
            _limit(process.pid, 0)
        time.sleep(seconds)
        for process in family:
            _limit(process.pid, None)


def _limit(pid: int, limit_bytes: int | None) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard if limit_bytes is None else limit_bytes, hard))


def fill_memory(run: Run, rng: random.Random) -> str:
    """Kind 16: Redis may not use more memory than it has, and refuses writes."""
    seconds = rng.uniform(0.5, 1.5)

    def fill() -> None:
        with run.world.store_lock:
            run.world.raw().config_set("maxmemory", "1")
            time.sleep(seconds)
            run.world.raw().config_set("maxmemory", "0")

    run.world.later(fill)
    return f"redis has no memory left for {seconds:.1f} s"
