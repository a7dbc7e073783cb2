"""The dashboard in a real browser: one server and one logged-in page for all of it."""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.conftest import CLIENT, well_behaved
from tests.parts.missing import missing
from tests.parts.stack import NO_TLS, ROOT, Stack
from tests.parts.waiting import wait_for
from tests.stand_in import StandIn
from web.administrators import Administrators

pytestmark = pytest.mark.browser
NAME, PASSWORD = "ada", "correct horse battery"
QUESTION = "What does the hall lamp Brightwick do?"
MOST_OF_A_RUN = 10
WORDS = ["It ", "glows ", "green [1]."]
PATIENCE_MS = 30_000
AXE = ROOT / "frontend/node_modules/axe-core/axe.min.js"
_AXE_RUN = """async (rules) => (await axe.run(rules ? {runOnly: rules} : {})).violations
  .filter(({impact}) => impact === "serious" || impact === "critical")
  .map(({id, nodes}) => `${id}: ${nodes.map(({target}) => target.join(" ")).join(", ")}`)"""
SESSION = str(uuid.uuid4())


def _address(stack: Stack, **query: str) -> str:
    return str(httpx.URL(f"{stack.url}/dashboard", params=query))


def _enter(page: Page, password: str) -> None:
    page.get_by_test_id("name").fill(NAME)
    page.get_by_test_id("password").fill(password)
    page.get_by_test_id("enter").click()


@pytest.fixture(scope="module")
def house(stack: Stack, model: StandIn) -> Stack:
    """A server with an administrator, an alert rule, and a session in which two questions were answered."""
    assert Administrators(stack.settings(), stack.store).create(NAME, PASSWORD)
    with stack.client() as client:
        rule = {"name": "answers-fail", "metric": "error_rate", "above": 0.05}
        assert client.post("/api/v1/alerts/rules", json=rule).status_code == 201
    model.script(words=WORDS)
    for _ in range(2):
        assert stack.ask(QUESTION, SESSION).status_code == 200
    # What the page's first view shows comes from the database.
    wait_for(lambda: _figures(stack) >= 2 * MOST_OF_A_RUN, "the recorder's roll-ups", 60)
    return stack


def _figures(stack: Stack, **query: str) -> int:
    with stack.client() as client:
        return int(client.get("/api/v1/operations/overview", params=query).json()["tiles"]["events"])


def _events(stack: Stack) -> list[dict[str, Any]]:
    """What is stored of the session, the newest first: also what only operators see."""
    with stack.client() as client:
        found = client.get("/api/v1/operations/events", params={"session_id": SESSION, "limit": 500}).json()
        return list(found["events"])


@pytest.fixture(scope="module")
def context(browser: Browser, house: Stack) -> Iterator[BrowserContext]:
    """A browser that asks nobody else and, the server's policy in force, says nothing on its console."""
    if not CLIENT.with_name("dashboard.js").exists():
        missing("the built page (make page)")
    opened = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    with well_behaved(opened, house):
        yield opened


@pytest.fixture(scope="module")
def page(context: BrowserContext, house: Stack) -> Page:
    """The dashboard, with an administrator logged in."""
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE_MS)
    opened.goto(_address(house))
    _enter(opened, PASSWORD)
    expect(opened.get_by_test_id("overview")).to_be_visible(timeout=PATIENCE_MS)
    return opened


def _number(of: Locator, name: str) -> int:
    return int(of.get_attribute(name) or 0)


def test_only_an_administrator_gets_in(page: Page, house: Stack) -> None:
    """Without this anybody could read what happens, or a link that one is sent would be lost at the login."""
    context = page.context.browser.new_context()  # type: ignore[union-attr]
    try:
        other = context.new_page()
        other.goto(_address(house, view="sessions"))
        _enter(other, "a wrong password")
        expect(other.get_by_test_id("login-problem")).to_contain_text("wrong", timeout=PATIENCE_MS)
        _enter(other, PASSWORD)
        expect(other.get_by_test_id("session").first).to_be_visible(timeout=PATIENCE_MS)
        other.get_by_role("button", name="Log out").click()
        expect(other.get_by_test_id("enter")).to_be_visible(timeout=PATIENCE_MS)
        expect(other.get_by_test_id("session")).to_have_count(0)
        assert httpx.get(f"{house.url}/api/v1/operations/sessions", verify=NO_TLS).status_code == 401
    finally:
        context.close()


def test_the_filter_stands_in_the_address_and_changes_the_figures(page: Page, house: Stack) -> None:
    """Without this an operator could not narrow down what is wrong, nor show it to anybody else."""
    page.goto(_address(house))
    overview = page.get_by_test_id("overview")
    expect(overview).to_have_attribute("aria-busy", "false")
    all_events = _number(overview, "data-events")
    page.get_by_test_id("range").select_option("24h")
    page.get_by_test_id("filter-event_type").fill("tool_*")
    expect(page).to_have_url(re.compile(r"range=24h&event_type=tool_\*$"))
    expect(page.get_by_test_id("stages").get_by_role("row")).to_have_count(2)
    expect(page.get_by_test_id("stages")).to_contain_text("tool_search_documents")
    page.get_by_test_id("filter-event_status").select_option("completed")
    few = _figures(house, range="24h", event_type="tool_*", event_status="completed")
    assert 0 < few < all_events
    expect(overview).to_have_attribute("data-events", str(few), timeout=PATIENCE_MS)
    page.reload()
    expect(overview).to_have_attribute("data-events", str(few), timeout=PATIENCE_MS)
    expect(page.get_by_test_id("filter-event_status")).to_have_value("completed")
    page.get_by_test_id("live").click()
    expect(page).to_have_url(re.compile("live=0"))
    page.get_by_test_id("clear").click()
    expect(page).not_to_have_url(re.compile("event_type"))
    page.go_back()
    expect(page).to_have_url(re.compile("event_type"))


def test_a_chart_can_be_read_as_a_table_and_a_sentence(page: Page, house: Stack) -> None:
    """Without this who cannot see a chart would learn nothing from it."""
    page.goto(_address(house))
    chart = page.get_by_test_id("chart-volume")
    expect(chart).to_contain_text(re.compile(r"Highest at .*: \d+"))
    expect(chart.locator("canvas")).to_have_count(1)
    chart.get_by_role("button", name="Table").click()
    table = chart.get_by_role("table")
    expect(table.get_by_role("columnheader", name="response_generation")).to_be_visible()
    # Both questions, wherever the hour's buckets begin.
    column = [one.inner_text() for one in table.get_by_role("columnheader").all()].index("response_generation")
    cells = table.locator(f"tbody tr td:nth-child({column + 1})").all_inner_texts()
    assert sum(int(cell) for cell in cells if cell.isdigit()) >= 4
    chart.get_by_role("button", name="Table").click()
    expect(chart.locator("canvas")).to_have_count(1)
    expect(page.get_by_test_id("tiles")).to_contain_text("Redis memory")


def test_the_event_table_follows(page: Page, house: Stack, model: StandIn) -> None:
    """Without this an operator would have to load the page again to see what happens, or could not look into it."""
    asked: list[str] = []
    page.on("response", lambda reply: asked.append(reply.url) if "/operations/events?" in reply.url else None)
    page.goto(_address(house, view="events", session_id=SESSION))
    expect(page.get_by_test_id("stream")).to_have_attribute("data-state", "open", timeout=PATIENCE_MS)
    rows = page.get_by_test_id("event")
    table = page.get_by_test_id("events")

    # At the beginning, when the stream is open, and a moment later; from then on the stream alone tells.
    def settled() -> bool:
        page.wait_for_timeout(20)
        return len(asked) == 3

    wait_for(settled, "the last page that is asked for", 60)
    stored = _events(house)
    expect(table).to_have_attribute("data-rows", str(len(stored)), timeout=PATIENCE_MS)
    model.script(words=WORDS)
    assert house.ask(QUESTION, SESSION).status_code == 200

    def together() -> list[dict[str, Any]] | None:
        found = _events(house)
        grown = len(found) >= len(stored) + MOST_OF_A_RUN
        return found if grown and _number(table, "data-rows") == len(found) else None

    now = wait_for(together, "every new event in the table", 60)
    assert _number(rows.first, "data-id") >= now[0]["id"]
    assert len(asked) == 3

    opener = page.locator(f'[data-id="{now[1]["id"]}"]').get_by_role("link")
    opener.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"event={now[1]['id']}"))
    shown: dict[str, Any] = json.loads(page.get_by_test_id("json").inner_text())
    assert (shown["id"], shown["message_id"]) == (now[1]["id"], now[1]["message_id"])
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("drawer")).to_have_count(0)
    expect(opener).to_be_focused()

    page.get_by_test_id("filter-text").fill("no sentence says this")
    expect(rows).to_have_count(0, timeout=PATIENCE_MS)
    for form in ("csv", "ndjson"):
        href = page.get_by_test_id(f"export-{form}").get_attribute("href") or ""
        assert f"format={form}" in href
        assert f"session_id={SESSION}" in href
        assert page.request.get(house.url + href).status == 200
    # An event's own address opens it, whatever the table shows.
    page.goto(_address(house, view="events", text="no sentence says this", event=str(now[-1]["id"])))
    expect(page.get_by_test_id("json")).to_contain_text(str(now[-1]["id"]), timeout=PATIENCE_MS)


def test_from_a_session_to_the_trace_of_an_answer(page: Page, house: Stack) -> None:
    """Without this an operator could not see what an answer's time was spent on, or what differs in a slower one."""
    page.goto(_address(house, view="sessions"))
    page.get_by_test_id("session").filter(has_text=SESSION).click()
    runs = page.get_by_test_id("run")
    expect(runs.nth(1)).to_be_visible(timeout=PATIENCE_MS)
    other = runs.nth(1).get_attribute("href") or ""
    runs.first.click()
    expect(page.get_by_test_id("trace")).to_have_attribute("data-status", "completed", timeout=PATIENCE_MS)
    spans = page.get_by_test_id("span")
    kinds = {one.get_attribute("data-type") for one in spans.all()}
    assert kinds >= {"message_received", "loading_history", "agent_thinking", "response_generation", "saving_message"}
    expect(page.locator('[data-testid="span"][data-critical]').first).to_be_visible()
    expect(page.locator('[data-testid="span"]:not([data-state="completed"])')).to_have_count(0)
    page.locator('[data-type="tool_search_documents"]').first.click()
    expect(page.get_by_test_id("json")).to_contain_text("collection")
    page.keyboard.press("Escape")

    page.get_by_test_id("compare-with").fill(str(httpx.URL(house.url + other).params["run"]))
    page.get_by_test_id("compare").click()
    table = page.get_by_test_id("comparison")
    expect(table).to_contain_text("response_generation", timeout=PATIENCE_MS)
    expect(table.locator("tbody tr").last).to_contain_text(re.compile(r"[+−]\d"))


def test_a_trace_is_live_while_the_run_is_open(page: Page, house: Stack, model: StandIn) -> None:
    """Without this an answer that hangs could not be looked at before it has ended."""
    model.script(words=WORDS, step=True)
    message = house.ask_async(QUESTION, SESSION)
    page.goto(_address(house, view="trace", run=message))
    running = page.locator('[data-type="response_generation"][data-state="running"]')
    expect(running).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_test_id("trace")).to_have_attribute("data-open", "true")
    _picture(page, "dashboard-open")
    model.release(len(WORDS))
    expect(page.get_by_test_id("trace")).to_have_attribute("data-open", "false", timeout=PATIENCE_MS)
    expect(page.locator('[data-type="saving_message"][data-state="completed"]')).to_be_visible()


def test_alerts_are_silenced_and_keys_made(page: Page, house: Stack) -> None:
    """Without this a known fault would go on calling people at night, and a lost key would stay good."""
    page.goto(_address(house, view="alerts"))
    page.get_by_test_id("rules").get_by_role("button", name="Silence: answers-fail").click()
    expect(page.get_by_test_id("silence-rule")).to_have_value("answers-fail")
    page.get_by_test_id("silence").click()
    silences = page.get_by_test_id("silences")
    expect(silences).to_contain_text("answers-fail", timeout=PATIENCE_MS)
    silences.get_by_role("button", name="End: answers-fail").click()
    expect(silences).not_to_contain_text("answers-fail", timeout=PATIENCE_MS)

    page.get_by_test_id("menu-keys").click()
    page.get_by_test_id("key-name").fill("the new frontend")
    page.get_by_test_id("make-key").click()
    secret = page.get_by_test_id("secret")
    expect(secret).to_be_visible(timeout=PATIENCE_MS)
    headers = {"X-API-Key": secret.inner_text()}
    asked = f"{house.url}/api/v1/me"
    assert httpx.get(asked, headers=headers, verify=NO_TLS).status_code == 200
    row = page.get_by_test_id("keys").get_by_role("row").filter(has_text="the new frontend")
    row.get_by_role("button", name="Revoke").click()
    row.get_by_role("button", name="for good").click()
    expect(row).to_contain_text("revoked", timeout=PATIENCE_MS)
    wait_for(lambda: httpx.get(asked, headers=headers, verify=NO_TLS).status_code == 401, "the key's end", 60)
    page.reload()
    expect(page.get_by_test_id("keys")).to_contain_text("the new frontend")
    expect(secret).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(page: Page, house: Stack, scheme: str) -> None:
    """Without this somebody who does not see well, or has a small screen, could not use what colleagues use."""
    if not AXE.exists():
        missing("axe-core (npm ci)")
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    source = AXE.read_text(encoding="utf-8")
    with house.client() as client:
        run = client.get(f"/api/v1/operations/sessions/{SESSION}/runs").json()["runs"][0]["message_id"]
    ready = {
        "overview": "tiles",
        "events": "event",
        "sessions": "session",
        "trace": "span",
        "alerts": "rules",
        "keys": "keys",
        "subscriptions": "subscriptions",
    }
    for view, sign in ready.items():
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto(_address(house, view=view, run=run))
        expect(page.get_by_test_id(sign).first).to_be_visible(timeout=PATIENCE_MS)
        _picture(page, f"dashboard-{view}-{scheme}")
        page.evaluate(source)
        # What is not a matter of colour is the same in the dark.
        assert page.evaluate(_AXE_RUN, ["color-contrast"] if scheme == "dark" else None) == [], view
        page.set_viewport_size({"width": 320, "height": 720})
        wait_for(lambda: page.evaluate("document.documentElement.scrollWidth") <= 320, f"a narrow {view}")
        _picture(page, f"dashboard-{view}-{scheme}-320")


def _picture(page: Page, name: str) -> None:
    """Keeps a picture where the environment asks for one: for the README."""
    folder = os.environ.get("SPANFEED_PICTURES")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"))
