"""What `spanfeed up` does, in order."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Iterator

from pipeline import search_settings
from pipeline.errors import SettingError, SpanfeedError
from pipeline.settings import Settings
from web.up import children, home, ports, redis_server
from web.up.banner import banner
from web.up.child import Child
from web.up.failures import StartFailed, StopRequested
from web.up.first_start import SampleDocuments
from web.up.flower import flower_environment
from web.up.keys import with_secrets
from web.up.launch import ROOT
from web.up.readiness import ReadyProbe
from web.up.supervisor import Supervisor
from web.up.terminal import Terminal

READY_SECONDS = 30.0
REDIS_SECONDS = 30.0
MIGRATION_SECONDS = 300.0
INDEX_SECONDS = 900.0


def up(settings: Settings) -> int:
    """Run everything until a signal asks to end; the exit status.

    0 after Ctrl-C or SIGTERM, 1 when the start failed (one sentence on standard error says why).
    """
    try:
        _run(settings, Terminal(verbose=bool(getattr(settings, "verbose", False))))
    except StopRequested:
        return 0
    except KeyboardInterrupt:
        return 130
    except SpanfeedError as error:
        _explain(error, settings)
        return 1
    return 0


def _run(given: Settings, terminal: Terminal) -> None:
    search_settings.check(given)
    folder = home.prepare(given)
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(home.locked(folder))
        settings = _with_ports(dataclasses.replace(with_secrets(given), home=str(folder)))
        flower_environment(settings)
        server = None if settings.redis_url else stack.enter_context(redis_server.prepared(folder))
        terminal.say("Starting Spanfeed …")
        supervisor = stack.enter_context(Supervisor(folder / "logs", terminal, keep_open=(lock,)))
        if server is not None:
            _start_redis(server, supervisor)
            settings = dataclasses.replace(settings, redis_url=server.url)
        supervisor.run(children.once(settings, "migration", "db", "upgrade"), MIGRATION_SECONDS)
        _index_samples(settings, supervisor, terminal)
        _start_web(settings, supervisor)
        for spec in children.later(settings):
            supervisor.start(spec)
        terminal.say(banner(settings, given))
        supervisor.watch()


def _with_ports(settings: Settings) -> Settings:
    """The web server's port is the user's word; Flower's gives way unless it was chosen."""
    ports.require(settings.host, settings.port)
    default = next(f.default for f in dataclasses.fields(Settings) if f.name == "flower_port")
    if settings.flower_port != default:
        if ports.why_not("127.0.0.1", settings.flower_port):
            raise SettingError(f"Flower's port {settings.flower_port} is taken; choose another: SPANFEED_FLOWER_PORT")
        return settings
    free = ports.next_free("127.0.0.1", settings.flower_port, taken=frozenset({settings.port}))
    return dataclasses.replace(settings, flower_port=free)


def _start_redis(server: redis_server.RedisServer, supervisor: Supervisor) -> None:
    child = supervisor.start(server.spec)
    if not supervisor.wait_until(server.answers, REDIS_SECONDS):
        raise StartFailed(f"The private Redis did not answer within {REDIS_SECONDS:g} s", child.recent)


def _index_samples(settings: Settings, supervisor: Supervisor, terminal: Terminal) -> None:
    samples = SampleDocuments(ROOT / "docs", settings.home_path)
    if not samples.due():
        return
    arguments = ("documents", "add", str(samples.folder), "--collection", "docs", "--sample")
    try:
        supervisor.run(children.once(settings, "samples", *arguments, shown=True), INDEX_SECONDS)
    except StartFailed as error:
        terminal.say(f"The sample documents were not indexed: {error}")
        return
    samples.remember()


def _start_web(settings: Settings, supervisor: Supervisor) -> None:
    started: dict[str, Child] = {spec.name: supervisor.start(spec) for spec in children.first(settings)}
    with _probe(settings) as probe:
        if not supervisor.wait_until(probe.ready, READY_SECONDS):
            said = f"; it said: {probe.last_answer}" if probe.last_answer else ""
            raise StartFailed(f"The web server was not ready within {READY_SECONDS:g} s{said}", started["web"].recent)


@contextlib.contextmanager
def _probe(settings: Settings) -> Iterator[ReadyProbe]:
    probe = ReadyProbe(settings)
    try:
        yield probe
    finally:
        probe.close()


def _explain(error: SpanfeedError, settings: Settings) -> None:
    terminal = Terminal(sys.stderr)
    terminal.say(settings.hide_secrets(str(error)))
    for line in getattr(error, "tail", ()):
        terminal.say(f"    {settings.hide_secrets(line)}")
