"""Redis's users of deploy/redis: each process works with its own, and may do nothing that is another's."""

from __future__ import annotations

import gc
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import redis
from redis.exceptions import NoPermissionError

from pipeline import settings as settings_table
from pipeline.bus import open_bus
from pipeline.emitter import Emitter
from pipeline.errors import BusUnavailable
from pipeline.event import Category, Identity, Priority, State, Status
from pipeline.store import exporting
from tests.parts.missing import missing
from tests.parts.ports import free_port
from tests.parts.redis_part import SERVERS, RedisPart
from tests.parts.stack import ROOT, Stack
from tests.parts.waiting import wait_for
from tests.pipeline.driven import DrivenRun

ROLES = ("emitter", "worker", "deliver", "recorder", "web", "relay", "beat", "flower", "doctor")
QUESTION = "How many turnips does the zebra Quillon eat?"


def _with_users(part: RedisPart, folder: Path) -> RedisPart:
    """The server with the file's users; the default user stays, for the test's own looks."""
    given = (ROOT / "deploy" / "redis" / "users.acl").read_text(encoding="utf-8").splitlines()
    lines = ["user default on nopass ~* &* +@all", *(line for line in given if not line.startswith("user default "))]
    file = folder / "users.acl"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    part.stop()
    part._command += ["--aclfile", str(file)]
    part.start()
    return part


def _url(part: RedisPart, role: str) -> str:
    return f"redis://{role}:change-me-{role}@127.0.0.1:{part.port}/0"


@pytest.fixture(scope="module", params=SERVERS)
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisPart]:
    """A server of each kind with the users, for tests that change nothing."""
    folder = tmp_path_factory.mktemp("users")
    part = _with_users(RedisPart(folder, request.param), folder)
    yield part
    part.stop(kill=True)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_not_do_what_is_not_its_own(guarded: RedisPart, role: str) -> None:
    """Without this one process that was broken into could empty Redis, or read what is none of its business."""
    forbidden = ["FLUSHALL", "FLUSHDB", "KEYS *", "CONFIG SET maxmemory 1", "SHUTDOWN", "ACL LIST", "ACL WHOAMI"]
    forbidden += ["SET other 1", "GET other", "PUBLISH other x", "SCRIPT FLUSH", "MONITOR", "REPLICAOF NO ONE"]
    if role not in {"worker", "deliver", "recorder", "web", "flower", "doctor"}:
        forbidden += ["DEL sf:{0}:log", "GET LIMITS:x"]
    if role != "recorder":
        forbidden += ["XTRIM sf:{0}:log MAXLEN 0"]
    if role not in {"recorder", "deliver"}:
        forbidden += ["XREADGROUP GROUP recorder x STREAMS sf:{0}:log >"]
    if role in {"emitter", "relay", "web"}:
        forbidden += ["BRPOP spanfeed.save 0.01", "SUBSCRIBE /0.celery.pidbox"]
    if role in {"relay", "beat", "flower", "doctor"}:
        forbidden += ["XADD sf:{0}:log * e x", "SET sf:{0}:alarm x"]
    if role in {"emitter", "beat", "flower", "doctor", "recorder"}:
        forbidden += ["SUBSCRIBE sf:{0}:feed:session:s"]
    if role != "doctor":
        forbidden += ["CONFIG GET requirepass"]
    with redis.Redis.from_url(_url(guarded, role), socket_timeout=5) as client:
        assert client.ping()
        for command in forbidden:
            with pytest.raises(NoPermissionError):
                client.execute_command(*command.split())


def test_nobody_comes_in_without_a_user() -> None:
    """Without this the users would be a fence with an open gate."""
    lines = (ROOT / "deploy" / "redis" / "users.acl").read_text(encoding="utf-8").splitlines()
    assert "user default off -@all" in lines
    assert {line.split()[1] for line in lines if line.startswith("user ")} == {"default", "operator", *ROLES}


def test_an_emitter_can_emit_and_no_more(guarded: RedisPart, tmp_path: Path) -> None:
    """Without this an application that only emits would need a worker's rights."""
    settings = settings_table.load(
        {"REDIS_URL": _url(guarded, "emitter"), "SPANFEED_HOME": str(tmp_path), "SPANFEED_EMIT_DEADLINE_MS": "5000"}
    )
    worker = open_bus(settings_table.load({"REDIS_URL": guarded.url}))
    run = DrivenRun(worker, "s")
    run.submit("think")
    run.begin("think", "T")
    bus = open_bus(settings)
    emitter = Emitter(bus)
    identity = Identity("document.uploaded", Category.REALTIME, Priority.NORMAL, "s")
    assert emitter.append(identity, State(Status.COMPLETED, "said"), uuid.uuid4().hex)
    assert emitter.progress("s", run.message_id, run.token, "agent_thinking", State(Status.PROGRESS, "on"))
    emitter.close()
    for one in (bus, worker):
        one.close_connections()


def test_the_whole_chat_works_with_each_process_under_its_user(
    make_stack: Callable[..., Stack], valkey: RedisPart, tmp_path: Path
) -> None:
    """Without this an operator could not turn the users on."""
    _with_users(valkey, tmp_path)
    stack = make_stack(SPANFEED_CLEANUP_INTERVAL_SECONDS="1", SPANFEED_MONITORING_INTERVAL_SECONDS="1")
    stack.add_document("zebra.md", "# Zebras\n\nThe blue zebra Quillon eats exactly seven turnips a day.\n")
    for role, start in (
        ("web", lambda: stack.start_web(wait=False)),
        ("worker", lambda: stack.start_worker(wait=False)),
        ("recorder", stack.start_recorder),
        ("deliver", lambda: stack.spawn("deliver", "spanfeed", "deliver")),
        ("beat", lambda: stack.spawn("beat", "spanfeed", "beat")),
        ("relay", stack.start_relay),
    ):
        stack.environment["REDIS_URL"] = _url(valkey, role)
        start()  # type: ignore[no-untyped-call]
    stack.wait_web()
    for name in ("worker", "deliver"):
        stack.wait_worker(name)
    with stack.feed("s") as feed:
        assert "seven turnips" in stack.ask(QUESTION, "s").json()["answer"]
        feed.until_ended()
    stack.settled()
    assert [event["id"] for event in stack.events("s")] == [event["id"] for event in feed.events]
    wait_for(lambda: "cleanup deleted" in stack.log("worker"), "what the scheduler asks for")
    assert httpx.get(f"{stack.url}/chat/s", headers={"X-API-Key": "sf_wrong"}).status_code == 401
    for event_type in ("auth.key_refused", "system.status", "message.sent", "job.completed"):
        wait_for(lambda wanted=event_type: wanted in _stored(stack), f"{event_type} to be told")  # type: ignore[misc]
    with stack.client() as client:
        assert client.delete("/chat/s").status_code == 200
    stack.environment["REDIS_URL"] = _url(valkey, "doctor")
    assert "fault" not in stack.command("doctor")
    stack.environment["REDIS_URL"] = _url(valkey, "recorder")
    assert "nothing is wrong" in stack.command("events", "verify")
    refused = {(entry["username"], entry["object"]) for entry in valkey.client().acl_log()}
    # The library tells its name where it may, and Redis 7.0 has no such command to be allowed.
    assert {(user, what) for user, what in refused if what != "client|setinfo"} == set()


def _stored(stack: Stack) -> set[str]:
    return {
        event.event_type for event in exporting.stored_events(stack.store, 0, None, exporting.Chosen(None, None, ()))
    }


# The library forgets the socket of a handshake that failed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_tls_is_used_and_the_certificate_looked_at(tmp_path: Path) -> None:
    """Without this whoever stands between could read along, or pass for Redis."""
    if subprocess.run(["openssl", "version"], capture_output=True).returncode:
        missing("openssl")
    key, certificate, port = tmp_path / "key.pem", tmp_path / "cert.pem", free_port()
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    command = ["openssl", *words.split(), "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    part = RedisPart(tmp_path / "redis", "redis")
    part.stop()
    part._command += ["--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key)]
    part._command += ["--tls-auth-clients", "no"]
    part.start()
    try:
        address = f"rediss://127.0.0.1:{port}/0"
        trusted = open_bus(settings_table.load({"REDIS_URL": f"{address}?ssl_ca_certs={certificate}"}))
        trusted.ping()
        assert trusted.clock()[0]
        trusted.close_connections()
        for url in (address, f"rediss://127.0.0.1:{part.port}/0"):
            other = open_bus(settings_table.load({"REDIS_URL": url}))
            with pytest.raises(BusUnavailable):
                other.ping()
            other.close_connections()
        gc.collect()
    finally:
        part.stop(kill=True)
