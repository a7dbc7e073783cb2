"""Administrators: logging in and out, what their cookie opens, and from where."""

from __future__ import annotations

import datetime
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import text, update
from werkzeug.test import TestResponse

from pipeline.store.models import administrator_sessions
from tests.web.site import APP_KEY, Site, assert_problem
from web.administrators import Administrators
from web.cli import main

NAME, PASSWORD = "ada", "correct horse battery"
OWN = {"Origin": "http://localhost"}
CHANGING = {**OWN, "X-Requested-With": "spanfeed"}


@pytest.fixture
def house(make_site: Callable[..., Site]) -> Site:
    """A site with an administrator."""
    site = make_site()
    assert Administrators(site.settings, site.store).create(NAME, PASSWORD)
    return site


def _log_in(browser: FlaskClient, name: str = NAME, password: str = PASSWORD, **more: Any) -> TestResponse:
    more.setdefault("headers", OWN)
    return browser.post("/api/v1/login", json={"name": name, "password": password}, **more)


def test_an_administrator_logs_in_and_out(house: Site) -> None:
    """Nobody could use the dashboard without handing a key to the browser; or an old cookie would open it for ever."""
    browser = house.browser()
    assert_problem(browser.get("/api/v1/me"), 401)
    reply = _log_in(browser)
    assert reply.status_code == 200, reply.text
    words = {word.strip().lower() for word in reply.headers["Set-Cookie"].split(";")}
    assert {"httponly", "samesite=strict", "path=/"} <= words
    assert browser.get("/api/v1/me").json["id"] == f"admin:{NAME}"  # type: ignore[index]
    assert browser.get("/api/v1/keys").status_code == 200
    cookie = browser.get_cookie("spanfeed_admin")
    assert cookie is not None
    assert browser.post("/api/v1/logout", headers=CHANGING).status_code == 200
    assert browser.get_cookie("spanfeed_admin") is None
    headers = {"Cookie": f"spanfeed_admin={cookie.value}"}
    assert_problem(house.get("/api/v1/keys", None, headers=headers), 401)


def test_over_tls_the_cookie_is_bound_to_this_host(house: Site) -> None:
    """Another host of the same domain could plant a session, or the cookie could travel in the clear."""
    browser = house.browser()
    reply = _log_in(browser, headers={"Origin": "https://localhost"}, base_url="https://localhost")
    cookie = reply.headers["Set-Cookie"]
    assert cookie.startswith("__Host-spanfeed_admin=")
    assert "Secure" in cookie
    assert "Domain" not in cookie
    value = cookie.partition("=")[2].partition(";")[0]
    planted = {"Cookie": f"spanfeed_admin={value}"}
    assert_problem(house.get("/api/v1/keys", None, headers=planted, base_url="https://localhost"), 401)


def test_a_password_is_not_taken_in_the_clear(house: Site) -> None:
    """Somebody on the network could read the administrator's password."""
    away = {"environ_base": {"REMOTE_ADDR": "192.0.2.1"}}
    assert_problem(_log_in(house.browser(), **away), 403, "needs_tls")
    named = {"base_url": "http://spanfeed.example", "headers": {"Origin": "http://spanfeed.example"}}
    assert_problem(_log_in(house.browser(), **named), 403, "needs_tls")


def test_a_wrong_name_and_a_wrong_password_look_the_same(make_site: Callable[..., Site]) -> None:
    """Anybody could find out who the administrators are."""
    house = make_site(SPANFEED_LOGIN_TRIES_LIMIT="1000")
    Administrators(house.settings, house.store).create(NAME, PASSWORD)
    taken: dict[str, list[float]] = {"nobody": [], NAME: []}
    bodies = []
    for _ in range(4):
        for name, times in taken.items():
            began = time.process_time()
            reply = _log_in(house.browser(), name, "not the password")
            times.append(time.process_time() - began)
            assert_problem(reply, 401, "wrong_login")
            bodies.append({**(reply.json or {}), "instance": ""})
    assert bodies == bodies[:1] * len(bodies)
    # The first of each prepares what is used later.
    ratio = statistics.median(taken["nobody"][1:]) / statistics.median(taken[NAME][1:])
    assert 1 / 3 < ratio < 3


def test_the_eleventh_try_is_refused(house: Site) -> None:
    """A password could be found by trying."""
    for _ in range(10):
        assert_problem(_log_in(house.browser(), password="wrong"), 401)
    reply = _log_in(house.browser())
    assert_problem(reply, 429, "too_many_tries")
    assert 0 < int(reply.headers["Retry-After"]) <= 900
    elsewhere = {"environ_base": {"REMOTE_ADDR": "::1"}}
    assert_problem(_log_in(house.browser(), NAME.upper(), **elsewhere), 429)


def test_one_address_cannot_try_many_names(house: Site) -> None:
    """One common password could be tried with every name there is."""
    for number in range(10):
        assert_problem(_log_in(house.browser(), f"name-{number}"), 401)
    assert_problem(_log_in(house.browser()), 429)


def test_without_redis_nobody_logs_in(make_site: Callable[..., Site]) -> None:
    """Whoever can take Redis away could try passwords without being counted."""
    site = make_site(REDIS_URL="redis://127.0.0.1:1/0")
    Administrators(site.settings, site.store).create(NAME, PASSWORD)
    assert_problem(_log_in(site.browser()), 503, "unavailable")


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:81", "http://localhost.evil.example"]
)
def test_another_sites_page_logs_nobody_in(house: Site, origin: str) -> None:
    """A page could log its reader in as somebody else, and read what they then do."""
    form = {"name": NAME, "password": PASSWORD}
    for headers in ({"Origin": origin}, {"Sec-Fetch-Site": "cross-site"}):
        assert_problem(house.post("/api/v1/login", None, data=form, headers=headers), 403, "csrf")
        assert_problem(_log_in(house.browser(), headers=headers), 403, "csrf")
    assert_problem(house.post("/api/v1/login", None, data=form), 415)


@pytest.mark.parametrize(
    ("headers", "slug"),
    [
        (OWN, "csrf"),
        ({"X-Requested-With": "x"}, "foreign_origin"),
        ({"X-Requested-With": "x", "Origin": "http://evil.example"}, "foreign_origin"),
        ({"X-Requested-With": "x", "Origin": "null"}, "foreign_origin"),
    ],
)
def test_another_sites_page_changes_nothing_with_the_cookie(house: Site, headers: dict[str, str], slug: str) -> None:
    """Any page that an administrator opens could make itself a key."""
    browser = house.browser()
    _log_in(browser)
    body = {"name": "n", "scopes": ["admin"]}
    assert_problem(browser.post("/api/v1/keys", json=body, headers=headers), 403, slug)
    assert_problem(browser.post("/api/v1/logout", headers=headers), 403, slug)
    assert browser.post("/api/v1/keys", json=body, headers=CHANGING).status_code == 201


def test_a_new_login_ends_the_old_session(house: Site) -> None:
    """A session that somebody planted before the login would be logged in with it."""
    browser = house.browser()
    _log_in(browser)
    first = browser.get_cookie("spanfeed_admin")
    _log_in(browser)
    second = browser.get_cookie("spanfeed_admin")
    assert first is not None
    assert second is not None
    assert first.value != second.value
    assert_problem(house.get("/api/v1/me", None, headers={"Cookie": f"spanfeed_admin={first.value}"}), 401)
    with house.store.read() as connection:
        stored = str(connection.execute(text("SELECT * FROM administrator_sessions")).all())
        stored += str(connection.execute(text("SELECT * FROM administrators")).all())
    assert second.value not in stored
    assert PASSWORD not in stored
    assert "$argon2id$" in stored


@pytest.mark.parametrize(
    ("column", "hours", "ends"), [("seen_at", 1, True), ("created_at", 13, True), ("seen_at", 0, False)]
)
def test_a_session_ends(house: Site, column: str, hours: int, ends: bool) -> None:
    """A browser that was left open would administer for ever."""
    browser = house.browser()
    assert _log_in(browser).status_code == 200
    moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=hours)
    with house.store.write() as connection:
        connection.execute(update(administrator_sessions).values({column: moment}))
    for _ in range(2):
        assert browser.get("/api/v1/me").status_code == (401 if ends else 200)


@pytest.mark.parametrize("cookie", ["", "x", "\xe9", "' OR 1=1--", "x" * 5_000])
def test_a_cookie_that_was_made_up_is_nobodys(house: Site, cookie: str) -> None:
    """Anybody could call themselves an administrator."""
    assert_problem(house.get("/api/v1/keys", None, headers={"Cookie": f"spanfeed_admin={cookie}"}), 401)


def test_an_administrator_may_still_chat_as_a_visitor(house: Site) -> None:
    """Whoever is logged in to the dashboard could not use the chat page in the same browser."""
    browser = house.browser()
    own = browser.post("/page/session", headers=OWN).json["session_id"]  # type: ignore[index]
    _log_in(browser)
    assert browser.post(f"/chat/{own}/token", headers=OWN).status_code == 201
    assert browser.get("/api/v1/keys").status_code == 200


def test_me_says_who_is_asking(house: Site) -> None:
    """A frontend would have to guess what it may offer."""
    found = house.get("/api/v1/me", APP_KEY).json or {}
    assert (found["id"], found["scopes"]) == ("key:app", ["Events", "Read", "Write"])
    token = house.state.doors.make_token("s", "key:app")
    found = house.get("/api/v1/me", token).json or {}
    assert found["session_id"] == "s"
    assert found["expires_at"] > time.time()


def test_administrators_by_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody could make the first administrator, or help one who has forgotten the password."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPANFEED_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DATABASE_URL", raising=False)

    def run(*words: str, say: str = "", status: int = 0) -> str:
        done = CliRunner().invoke(main, words, input=say)
        assert done.exit_code == status, done.output
        return done.output

    run("db", "upgrade")
    twice = f"{PASSWORD}\n{PASSWORD}\n"
    assert PASSWORD not in run("admin", "create", NAME, say=twice)
    assert "There is an administrator" in run("admin", "create", NAME, say=twice, status=1)
    assert "at least 12" in run("admin", "create", "bob", say="short\nshort\n", status=1)
    assert "no administrator" in run("admin", "password", "bob", say=twice, status=1)
    run("admin", "password", NAME, say="another password\nanother password\n")
    from pipeline.settings import load
    from pipeline.store import open_store

    store = open_store(load())
    people = Administrators(load(), store)
    assert people.log_in(NAME, PASSWORD) is None
    token = people.log_in(NAME, "another password")
    assert token is not None
    people.change_password(NAME, "yet another password")
    assert people.by_token(token) is None
    store.close()
