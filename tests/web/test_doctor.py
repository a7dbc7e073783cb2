"""What the doctor finds: each fault made on a real Redis, a real database, a real folder."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import celery
import pytest
from click.testing import CliRunner, Result
from redis.exceptions import ResponseError

from pipeline import settings as settings_table
from pipeline.bus import keys
from pipeline.bus.handler_log import HandlerLog
from pipeline.bus.inspect import Inspection
from pipeline.store import migrate, open_store
from pipeline.store.recording import record
from tests.parts.postgres_part import PostgresPart
from tests.parts.redis_part import RedisPart
from tests.parts.waiting import wait_for
from tests.web.site import SECRET, Site, emit
from web.cli import main
from web.doctor import broker, clocks, database, examination, folder, recorder, server
from web.doctor.examination import Check, look_at
from web.doctor.lines import Level, Line, bytes_text, ok, seconds_text
from web.doctor.patient import Patient

LOG = "sf:{0}:log"
CLOCK = "sf:{0}:clock"
MICROSECONDS = 1_000_000
WITHIN_SECONDS = 15.0
Examined = Callable[..., Patient]


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Examined]:
    """Makes what is examined: a home folder of its own, with what else is given."""
    made: list[Patient] = []

    def make(redis: RedisPart | str | None = None, **environment: str) -> Patient:
        url = redis.url if isinstance(redis, RedisPart) else redis or ""
        settings = settings_table.load({"SPANFEED_HOME": str(tmp_path / "home"), "REDIS_URL": url, **environment})
        made.append(Patient(settings, Inspection(url) if url else None, open_store(settings)))
        return made[-1]

    yield make
    for one in made:
        one.store.close()
        if one.redis is not None:
            one.redis.close()


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Runs the command in an environment of its own."""
    for name in ("DATABASE_URL", "REDIS_URL", "SPANFEED_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPANFEED_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **environment: str) -> Result:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        started = time.monotonic()
        done = CliRunner().invoke(main, ["doctor", *arguments])
        assert time.monotonic() - started < WITHIN_SECONDS
        assert isinstance(done.exception, SystemExit | None), done.exception
        return done

    return run


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def only(lines: list[Line], level: Level) -> Line:
    """The one line, which has that level; what is not ok has a mend."""
    assert [line.level for line in lines] == [level], lines
    assert bool(lines[0].mend) == (level is not Level.OK)
    return lines[0]


def _levels(done: Result) -> dict[str, str]:
    return {check["name"]: check["level"] for check in json.loads(done.stdout)["checks"]}


# The whole examination


def test_where_nothing_runs_it_says_so_and_touches_nothing(doctor: Callable[..., Result], tmp_path: Path) -> None:
    """Without this a newcomer would be told of ten faults before the first start."""
    done = doctor("--json")
    assert done.exit_code == 0
    levels = _levels(done)
    assert (levels["running"], levels["database"], levels["disk"]) == ("warning", "warning", "ok")
    assert levels.keys().isdisjoint({"redis", "broker", "recorder", "migrations"})
    assert not (tmp_path / "home").exists()
    lines = doctor().stdout.splitlines()
    assert lines[1].startswith("warning  running: nothing runs here: REDIS_URL is empty")
    assert lines[1].endswith(" → spanfeed up, or set REDIS_URL")


def test_a_setting_that_cannot_be_used_is_a_line(doctor: Callable[..., Result]) -> None:
    """Without this the doctor would die of what it should find."""
    done = doctor(PORT="many")
    assert (done.exit_code, len(done.stdout.splitlines())) == (1, 1)
    assert done.stdout.startswith("fault    settings: PORT must be a int")
    assert doctor(PORT="5000", CHROMA_HOST="somewhere").exit_code == 1


def test_everything_down_is_said_in_time_and_without_secrets(doctor: Callable[..., Result], silent: int) -> None:
    """Without this the doctor would hang beside what hangs, or print passwords into a ticket."""
    done = doctor(
        REDIS_URL=f"redis://:secret-word@127.0.0.1:{silent}/0",
        DATABASE_URL=f"postgresql://somebody:secret-word@127.0.0.1:{silent}/none",
        SPANFEED_BROKER_URL=f"amqp://somebody:secret-word@127.0.0.1:{silent}//",
        OPENAI_API_KEY="secret-word",
    )
    assert done.exit_code == 1
    found = {line.partition(":")[0].split()[1]: line.split()[0] for line in done.stdout.splitlines()}
    assert (found["redis"], found["database"], found["broker"]) == ("fault", "fault", "fault")
    assert found.keys().isdisjoint({"persistence", "recorder", "migrations"})
    assert found["disk"] == "ok"
    assert "secret-word" not in done.output


def test_it_is_there_under_flask_too(make_site: Callable[..., Site], doctor: Callable[..., Result]) -> None:
    """Without this whoever runs `flask --app web` would look for it in vain."""
    site = make_site()
    done = site.app.test_cli_runner().invoke(args=["doctor", "--json"])
    assert _levels(done)["running"] == "warning"


def test_a_check_that_stumbles_or_hangs_leaves_the_others_alone(patient: Examined) -> None:
    """Without this one fault that nobody thought of would hide all others."""

    def stumble(_: Patient) -> list[Line]:
        raise ZeroDivisionError

    def hang(_: Patient) -> list[Line]:
        time.sleep(3)
        return []

    checks = [Check("a", hang), Check("b", stumble), Check("c", lambda _: [ok("c", "fine")])]
    found = look_at(patient(), checks, 1)
    assert [(line.name, line.level) for line in found] == [("a", "fault"), ("b", "fault"), ("c", "ok")]
    assert "no answer within 1 s" in found[0].found
    assert "ZeroDivisionError" in found[1].found


# Redis


def test_a_redis_that_is_well(patient: Examined, redis_server: RedisPart) -> None:
    """Without this the doctor would cry wolf over a server that is right."""
    well = patient(redis_server)
    assert f"at 127.0.0.1:{redis_server.port}" in only(server.reachable(well), Level.OK).found
    assert only(server.persistence(well), Level.OK).found == "appendonly yes, appendfsync everysec"
    only(server.memory(well), Level.OK)
    only(server.scripts(well), Level.OK)
    only(clocks.redis_clock(well), Level.OK)
    only(recorder.watchdog(well), Level.OK)


def test_a_redis_that_hangs_or_is_gone(patient: Examined, valkey: RedisPart, doctor: Callable[..., Result]) -> None:
    """Without this the doctor would wait for a server that will never answer."""
    valkey.signal(signal.SIGSTOP)
    assert "TimeoutError" in only(server.reachable(patient(valkey)), Level.FAULT).found
    levels = _levels(doctor("--json", REDIS_URL=valkey.url))
    assert (levels["redis"], levels["disk"]) == ("fault", "ok")
    assert "recorder" not in levels
    valkey.stop(kill=True)
    assert "ConnectionError" in only(server.reachable(patient(valkey)), Level.FAULT).found


def test_a_redis_that_refuses_the_password(patient: Examined, valkey: RedisPart) -> None:
    """Without this a wrong password would look like a server that is down."""
    valkey.client().config_set("requirepass", "another-word")
    wrong = patient(f"redis://:secret-word@127.0.0.1:{valkey.port}/0")
    line = only(server.reachable(wrong), Level.FAULT)
    assert "AuthenticationError" in line.found
    assert "secret-word" not in line.found


def test_a_redis_that_is_a_replica(patient: Examined, valkey: RedisPart) -> None:
    """Without this every message would be refused, and nobody would know why."""
    valkey.client().replicaof("127.0.0.1", "1")
    assert "replica" in only(server.reachable(patient(valkey)), Level.FAULT).found


def test_a_redis_that_is_too_old(patient: Examined, valkey: RedisPart, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this scripts would fail with words that only Redis understands."""
    monkeypatch.setattr(server, "OLDEST_VERSION", (99, 0))
    assert "too old" in only(server.reachable(patient(valkey)), Level.FAULT).found


def test_a_redis_that_forgets(patient: Examined, tmp_path: Path) -> None:
    """Without this a restart of Redis would lose messages that were accepted."""
    part = RedisPart(tmp_path / "redis", appendonly=False)
    try:
        assert "appendonly is off" in only(server.persistence(patient(part)), Level.FAULT).found
    finally:
        part.stop(kill=True)


def test_a_redis_that_writes_too_seldom(patient: Examined, valkey: RedisPart) -> None:
    """Without this a power cut would lose half a minute, and nobody would have been told."""
    valkey.client().config_set("appendfsync", "no")
    only(server.persistence(patient(valkey)), Level.WARNING)


def test_a_redis_that_cannot_write_its_file(patient: Examined, valkey: RedisPart) -> None:
    """Without this a full disk under Redis would be noticed at the next restart."""
    shutil.rmtree(valkey.files)
    valkey.files.write_text("not a folder")
    with pytest.raises(ResponseError):
        valkey.client().bgrewriteaof()
    assert "could not be rewritten" in only(server.persistence(patient(valkey)), Level.FAULT).found


def test_a_redis_that_throws_data_away(patient: Examined, valkey: RedisPart) -> None:
    """Without this a full Redis would throw away the whole log at once."""
    valkey.client().config_set("maxmemory-policy", "allkeys-lru")
    line = only(server.memory(patient(valkey)), Level.FAULT)
    assert "allkeys-lru" in line.found
    assert "CONFIG SET maxmemory-policy noeviction" in line.mend


@pytest.mark.parametrize(("times", "level"), [(50.0, Level.OK), (1.15, Level.WARNING), (1.01, Level.FAULT)])
def test_a_redis_that_fills_up(patient: Examined, valkey: RedisPart, times: float, level: Level) -> None:
    """Without this messages would be refused one day, out of the blue."""
    client = valkey.client()
    client.config_set("maxmemory", int(client.info("memory")["used_memory"] * times))
    only(server.memory(patient(valkey)), level)


def test_a_redis_that_runs_no_scripts(patient: Examined, valkey: RedisPart) -> None:
    """Without this a hosted Redis with narrow rights would fail at the first message."""
    rights = ("on", ">word", "~*", "&*", "+@all", "-@scripting")
    valkey.client().execute_command("ACL", "SETUSER", "narrow", *rights)
    narrow = patient(f"redis://narrow:word@127.0.0.1:{valkey.port}/0")
    only(server.scripts(narrow), Level.FAULT)
    # The rights that the mend names are enough, and what may not be asked then is no fault.
    rights = only(server.scripts(narrow), Level.FAULT).mend.partition("…")[2].split()
    valkey.client().execute_command("ACL", "SETUSER", "narrow", "reset", "on", ">word", *rights)
    for look in (server.reachable, server.persistence, server.memory, server.scripts, clocks.redis_clock):
        only(look(narrow), Level.OK)
    recorder.recorder(narrow)
    assert broker.workers(narrow)[0].level is Level.OK


def test_a_log_that_is_no_log(patient: Examined, valkey: RedisPart) -> None:
    """Without this another program in the same Redis would silence all feeds."""
    valkey.client().set(LOG, "something else")
    assert "WRONGTYPE" in only(server.scripts(patient(valkey)), Level.FAULT).found


# Clocks


def test_ids_that_run_ahead_of_the_clock(patient: Examined, valkey: RedisPart) -> None:
    """Without this nobody would see why events are dated in the future."""
    examined = patient(valkey)
    valkey.client().hset(CLOCK, "last", examined.asked_redis.now_id() + 90 * MICROSECONDS)
    assert "s in the future" in only(clocks.redis_clock(examined), Level.WARNING).found


def test_clocks_that_are_apart(patient: Examined, valkey: RedisPart, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this times of events and of logs would not fit together, and nobody would know why."""
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 5)
    assert "ahead of this machine's" in only(clocks.redis_clock(patient(valkey)), Level.WARNING).found


def test_the_databases_clock(patient: Examined, postgres: PostgresPart) -> None:
    """Without this messages would be dated by one clock and events by another."""
    only(clocks.database_clock(patient(DATABASE_URL=postgres.new_database())), Level.OK)
    assert clocks.database_clock(patient()) == []


# The broker and its workers


def test_a_broker_without_workers(patient: Examined, valkey: RedisPart) -> None:
    """Without this messages would wait, and everything would look well."""
    valkey.client().rpush("spanfeed.search", *["message"] * 1_000)
    lines = {line.name: line for line in broker.workers(patient(valkey))}
    assert lines["broker"].level is Level.OK
    assert (lines["workers"].level, lines["queues"].level) == (Level.FAULT, Level.WARNING)
    assert "1000 messages wait" in lines["workers"].found
    assert lines["queues"].found.endswith("spanfeed.search 1000")


def test_another_broker_that_is_gone_or_hangs(patient: Examined, valkey: RedisPart, silent: int) -> None:
    """Without this the one part that nobody thinks of would be the one that is down."""
    addresses = [f"redis://127.0.0.1:{port}/" for port in (1, silent)] + [f"amqp://127.0.0.1:{silent}//"]

    def of(address: str) -> Callable[[Patient], list[Line]]:
        elsewhere = patient(valkey, SPANFEED_BROKER_URL=address)
        return lambda _: broker.workers(elsewhere)

    found = look_at(patient(), [Check(address, of(address)) for address in addresses], 4)
    assert [line.level for line in found] == [Level.FAULT] * 3


def test_a_worker_of_another_version() -> None:
    """Without this half an update would work until the first message that differs."""
    reports = {
        "new@host": f"software -> celery:{celery.__version__} (word)",
        "old@host": "software -> celery:5.4.0 (x)",
    }
    assert only(broker._versions(reports), Level.WARNING).found.endswith("but old@host has 5.4.0")
    only(broker._versions({"new@host": reports["new@host"]}), Level.OK)


# The recorder and the watchdog


def test_no_recorder(patient: Examined, make_site: Callable[..., Site], valkey: RedisPart) -> None:
    """Without this nothing would reach the database, and polling alone would show it."""
    examined = patient(valkey)
    assert only(recorder.recorder(examined), Level.FAULT).found == "no recorder has read yet"
    emit(make_site(REDIS_URL=valkey.url).bus, "s", 3)
    found = only(recorder.recorder(examined), Level.FAULT).found
    assert found.startswith("no recorder has read yet; 3 events wait to be stored, the oldest for ")


def test_a_recorder_that_has_gone(
    patient: Examined, make_site: Callable[..., Site], valkey: RedisPart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without this a recorder that died long ago would pass for one that runs."""
    site = make_site(REDIS_URL=valkey.url)
    emit(site.bus, "s", 3)
    site.recorder().run_until_empty()
    site.bus.say_present("here/1", keys.RECORDING)
    assert only(recorder.recorder(patient(valkey)), Level.OK).found == "1 running, everything is stored"
    monkeypatch.setattr(recorder, "_SILENT_SECONDS", 0.0)
    assert "no recorder reads: the last one did" in only(recorder.recorder(patient(valkey)), Level.FAULT).found


def test_a_recorder_that_waits_for_the_first_event(
    patient: Examined, make_site: Callable[..., Site], redis_server: RedisPart
) -> None:
    """Without this a quiet night would be taken for a dead recorder, or another reader of the log for a recorder."""
    examined, site = patient(redis_server), make_site(REDIS_URL=redis_server.url)
    handlers = HandlerLog(redis_server.client(), 10)
    handlers.join("elsewhere")
    reading = threading.Thread(target=handlers.read_new, args=("elsewhere", "here/1", 1, 50_000))
    reading.start()
    waits = lambda: any("b" in one["flags"] for one in redis_server.client().client_list())  # noqa: E731
    wait_for(waits, "the handler that waits")
    only(recorder.recorder(examined), Level.FAULT)
    recording = site.recorder()
    thread = threading.Thread(target=recording.run)
    thread.start()
    wait_for(lambda: recorder.recorder(examined)[0].level is Level.OK, "the recorder that waits")
    assert only(recorder.recorder(examined), Level.OK).found == "1 running, everything is stored"
    recording.stop()
    site.emit("s")
    thread.join(20)
    reading.join(20)


@pytest.mark.parametrize(("seconds", "level"), [(20, Level.WARNING), (400, Level.FAULT)])
def test_a_recorder_that_is_behind(patient: Examined, valkey: RedisPart, seconds: int, level: Level) -> None:
    """Without this a history that is minutes old would be taken for the present."""
    examined, client = patient(valkey), valkey.client()
    client.xadd(LOG, {"e": "{}"}, id=f"{examined.asked_redis.now_id() - seconds * MICROSECONDS}-0")
    client.xgroup_create(LOG, "recorder", id="0")
    client.xreadgroup("recorder", "gone/1", {LOG: ">"})
    client.zadd(keys.RECORDING, {"here/2": examined.asked_redis.now_id()})
    line = only(recorder.recorder(examined), level)
    assert "1 events wait to be stored, the oldest for" in line.found


def test_a_watchdog_that_does_not_look(patient: Examined, valkey: RedisPart) -> None:
    """Without this a lost worker's messages would wait for ever."""
    examined = patient(valkey)
    now = examined.asked_redis.now_id()
    valkey.client().zadd("sf:{0}:due", {"late": now - 60 * MICROSECONDS, "soon": now - 1 * MICROSECONDS})
    assert only(recorder.watchdog(examined), Level.FAULT).found.startswith("1 runs are overdue, the first for 6")


# The database


def test_a_database_that_is_well(patient: Examined, database_url: str) -> None:
    """Without this the doctor would cry wolf over a database that is right."""
    well = patient(DATABASE_URL=database_url)
    migrate.upgrade(well.store)
    for look in (database.reachable, database.migrations, database.dead_letters):
        only(look(well), Level.OK)


def test_a_database_that_is_not_migrated(patient: Examined, postgres: PostgresPart) -> None:
    """Without this an update without its migration would fail at the first message."""
    bare = patient(DATABASE_URL=postgres.new_database())
    line = only(database.migrations(bare), Level.FAULT)
    assert (line.found[:21], line.mend) == ("the schema is at None", "spanfeed db upgrade")
    only(database.dead_letters(bare), Level.OK)


def test_a_database_that_is_missing_gone_or_misspelt(patient: Examined, valkey: RedisPart, tmp_path: Path) -> None:
    """Without this an operator would look for the fault in Spanfeed."""
    assert only(database.reachable(patient(valkey)), Level.FAULT).found == "there is no spanfeed.db yet"
    assert not (tmp_path / "home").exists()
    gone = patient(DATABASE_URL="postgresql://a:secret-word@127.0.0.1:1/none")
    assert "secret-word" not in only(database.reachable(gone), Level.FAULT).found
    misspelt = patient(DATABASE_URL="mysql://localhost/x")
    assert "DATABASE_URL must begin with" in only(database.reachable(misspelt), Level.FAULT).found


def test_a_sqlite_that_keeps_no_log(patient: Examined) -> None:
    """Without this a folder in the network would make the page slow, and nobody would know why."""
    assert "journal mode memory" in only(database.reachable(patient(DATABASE_URL="sqlite://")), Level.WARNING).found


def test_dead_letters(patient: Examined) -> None:
    """Without this events that were refused would lie there for ever, unseen."""
    examined = patient()
    migrate.upgrade(examined.store)
    record(examined.store, [("1-0", b"poison"), ("2-0", None)], lambda _: "")
    assert only(database.dead_letters(examined), Level.WARNING).found.startswith("2 events")


# The home folder


def test_a_home_that_is_well(patient: Examined, tmp_path: Path) -> None:
    """Without this the doctor would cry wolf over a folder that is right."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "api_key").write_text("sf_word")
    (home / "api_key").chmod(0o600)
    (home / "spool").mkdir()
    for look in (folder.disk, folder.secrets, folder.spool):
        only(look(patient()), Level.OK)


@pytest.mark.parametrize(
    ("threshold", "level"), [("_ROOM_WARNING_BYTES", Level.WARNING), ("_ROOM_FAULT_BYTES", Level.FAULT)]
)
def test_a_disk_that_fills_up(patient: Examined, monkeypatch: pytest.MonkeyPatch, threshold: str, level: Level) -> None:
    """Without this the recorder would stop one night."""
    monkeypatch.setattr(folder, threshold, 1 << 62)
    only(folder.disk(patient()), level)


def test_keys_that_others_may_read(patient: Examined, tmp_path: Path) -> None:
    """Without this everybody on the machine could speak as the administrator."""
    (tmp_path / "home" / "redis").mkdir(parents=True)
    for name, mode in (("api_key", 0o644), ("redis/password", 0o640), ("secret_key", 0o600)):
        (tmp_path / "home" / name).write_text("word")
        (tmp_path / "home" / name).chmod(mode)
    line = only(folder.secrets(patient()), Level.FAULT)
    assert "api_key" in line.mend
    assert "redis/password" in line.mend
    assert "secret_key" not in line.found


def test_events_that_wait_in_the_spool(patient: Examined, tmp_path: Path) -> None:
    """Without this nobody would know why the feed of an hour ago has a hole."""
    (tmp_path / "home" / "spool").mkdir(parents=True)
    (tmp_path / "home" / "spool" / "123.spool").write_bytes(b"x" * 2_048)
    assert only(folder.spool(patient()), Level.WARNING).found.startswith("1 files with 2 KiB")


def test_documents_that_are_not_there_or_broken(patient: Examined, tmp_path: Path) -> None:
    """Without this every question would be refused, and the documents would seem to be there."""
    only(folder.documents(patient()), Level.WARNING)
    assert not (tmp_path / "home").exists()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "documents.db").write_bytes(b"no database" * 1_000)
    only(folder.documents(patient(SPANFEED_SECRET_KEY=SECRET)), Level.FAULT)


def test_a_page_that_is_not_built(patient: Examined, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without this a visitor would see an error where the chat should be."""
    monkeypatch.setattr(folder, "_PAGE", tmp_path / "index.html")
    assert only(folder.page(patient()), Level.WARNING).mend == "make page"


def test_sizes_and_durations_can_be_read() -> None:
    """Without this an operator would count zeros at night."""
    assert [bytes_text(size) for size in (12, 2_048, 5 << 20, 3 << 30, 2 << 40)] == [
        "12 bytes", "2 KiB", "5 MiB", "3 GiB", "2.0 TiB",
    ]  # fmt: skip
    assert [seconds_text(seconds) for seconds in (0.04, 12, 130, 7_300, 200_000)] == [
        "0.0 s", "12 s", "2 min", "2 h", "2 d",
    ]  # fmt: skip
    assert {check.name for check in examination.FIRST} == {"redis", "database"}
