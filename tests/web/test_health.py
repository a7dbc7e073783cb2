"""Health and readiness: public, and true."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.store import migrate
from tests.parts.ports import free_port
from tests.web.site import APP_KEY, Site


@pytest.mark.parametrize("path", ["/health", "/healthz", "/health/", "/healthz/"])
@pytest.mark.parametrize("key", [None, APP_KEY])
def test_health_is_public(site: Site, path: str, key: str | None) -> None:
    """A platform that asks without a key would take the server for dead."""
    reply = site.get(path, key)
    assert reply.status_code == 200
    assert reply.json == {"status": "healthy"}
    assert site.ask("HEAD", path, key).status_code == 200


@pytest.mark.parametrize("path", ["/health", "/readyz"])
@pytest.mark.parametrize("query", [{}, {"token": "of yesterday"}])
def test_a_key_of_yesterday_does_not_make_the_server_look_dead(site: Site, path: str, query: dict[str, str]) -> None:
    """After a change of keys a platform that still sends the old one would restart a healthy server for ever."""
    assert site.get(path, "sf_of-yesterday", query_string=query).status_code == 200


def test_ready_says_that_everything_answers(site: Site) -> None:
    """A platform would send users to a server that cannot answer them."""
    reply = site.get("/readyz", None)
    assert reply.status_code == 200
    assert reply.json == {"status": "ready", "checks": {"redis": "ok", "database": "ok", "recorder": "ok"}}


def test_ready_says_when_redis_is_down(make_site: Callable[..., Site]) -> None:
    """An operator would have to guess which part is missing."""
    site = make_site(REDIS_URL=f"redis://:secret-word@127.0.0.1:{free_port()}/0")
    reply = site.get("/readyz", None)
    assert reply.status_code == 503
    assert (reply.json or {})["checks"] == {"redis": "down", "database": "ok"}
    assert "secret-word" not in reply.text
    assert site.get("/health", None).status_code == 200


def test_ready_says_when_the_database_is_down(make_site: Callable[..., Site]) -> None:
    """An operator would have to guess which part is missing."""
    site = make_site(DATABASE_URL=f"postgresql://somebody:secret-word@127.0.0.1:{free_port()}/none")
    reply = site.get("/readyz", None)
    assert reply.status_code == 503
    assert (reply.json or {})["checks"] == {"redis": "ok", "database": "down", "recorder": "ok"}
    assert "secret-word" not in reply.text
    assert site.get("/health", None).status_code == 200


def test_ready_says_how_far_the_recorder_is_behind(make_site: Callable[..., Site], session_id: str) -> None:
    """An operator would learn of a recorder that is behind from missing history only, or lose a good server by it."""
    site = make_site(SPANFEED_RECORDER_ALARM_EVENTS="3")
    site.emit(session_id, 2)
    assert (site.get("/readyz", None).json or {})["checks"]["recorder"] == "ok"
    site.emit(session_id, 2)
    reply = site.get("/readyz", None)
    assert (reply.status_code, (reply.json or {})["checks"]["recorder"]) == (200, "behind: 4 events")
    site.recorder().run_until_empty()
    assert (site.get("/readyz", None).json or {})["checks"]["recorder"] == "ok"


def test_ready_says_when_the_schema_is_old(make_site: Callable[..., Site], tmp_path: Path) -> None:
    """After an upgrade without its migration users would meet errors instead of the old server."""
    site = make_site(DATABASE_URL=f"sqlite:///{tmp_path}/empty.db")
    reply = site.get("/readyz", None)
    assert reply.status_code == 503
    assert "spanfeed db upgrade" in (reply.json or {})["checks"]["database"]
    migrate.upgrade(site.store)
    assert site.get("/readyz", None).status_code == 200
