"""What a process loads: the recorder and the feed's core stand without Flask, the web without stages and models."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.parts.stack import ROOT

_SHOW = "import sys; import {}; print(' '.join(sorted(name for name in sys.modules)))"


def _loaded(modules: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _SHOW.format(modules)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.split())


FEED = "web.feed.connection, web.feed.history, web.feed.listener, web.feed.frames"
RELAY = "web.relay.process, web.relay.reactor, web.handover"


@pytest.mark.parametrize("modules", ["web.recorder", FEED, RELAY, "web.cli"])
def test_no_flask_is_loaded(modules: str) -> None:
    """The recorder would carry a web server with it, and fall with it."""
    loaded = _loaded(modules)
    assert set(modules.split(", ")) <= loaded
    assert loaded.isdisjoint({"flask", "werkzeug", "flask_sock", "flask_limiter"})


def test_no_celery_is_loaded() -> None:
    """Serving feeds would need a broker, and as much memory as a worker."""
    assert _loaded(f"{FEED}, {RELAY}").isdisjoint({"celery", "kombu", "tasks"})


@pytest.mark.parametrize(
    "modules", ["web.recorder, web.cli", f"{RELAY}, web.cli", "web.factory", "tasks.worker, tasks.stage"]
)
def test_nothing_is_loaded_that_only_another_database_or_a_migration_needs(modules: str) -> None:
    """Each process on SQLite would start half as slowly again, and hold PostgreSQL's driver and Alembic in memory."""
    assert _loaded(modules).isdisjoint({"psycopg", "sqlalchemy.dialects.postgresql", "alembic", "mako"})


def test_a_command_loads_what_it_needs_when_it_runs() -> None:
    """`spanfeed --help`, and every worker's start, would first load the database's and the bus's libraries."""
    assert _loaded("web.cli").isdisjoint({"sqlalchemy", "redis", "opentelemetry.sdk", "pydantic"})


def test_a_worker_without_an_endpoint_loads_no_http_client() -> None:
    """Each worker and each `spanfeed documents` would start a tenth of a second later for a model that is not there."""
    loaded = _loaded("tasks.worker, tasks.stages.think, tasks.stages.search, tasks.stages.generate, tasks.documents")
    assert loaded.isdisjoint({"httpx", "tasks.llm.openai"})


def test_a_worker_loads_no_other_command_of_celerys() -> None:
    """Each worker would start half a second later, and hold Flower's web server in memory."""
    assert _loaded("tasks.__main__").isdisjoint({"tornado", "flower", "prompt_toolkit", "celery.bin.celery"})


def test_the_web_server_loads_no_stage_and_no_model() -> None:
    """Each web process would hold the models and the index in memory."""
    loaded = _loaded("web.factory")
    # The documents of the API are made when somebody asks for them.
    for room in ("tasks.stages", "tasks.llm", "tasks.rag", "tasks.stage", "web.contract"):
        assert not any(name == room or name.startswith(f"{room}.") for name in loaded)
