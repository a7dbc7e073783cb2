"""The page where the network is bad: blocked transports, no network, a server that restarts, two tabs."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.conftest import CLIENT
from tests.parts.missing import missing
from tests.parts.stack import ROOT, Stack
from tests.stand_in import StandIn

pytestmark = pytest.mark.browser
QUESTION = "What does the hall lamp Brightwick do?"
WORDS = [f"word{number} " for number in range(1, 13)]
PATIENCE_MS = 30_000

# A network that lets some transports through: a blocked WebSocket fails its handshake, as behind a bad proxy.
_GATES = """
const Real = window.WebSocket, ask = window.fetch;
window.blocked = new Set(%s);
window.WebSocket = class {
  constructor(url) { return new Real(blocked.has("websocket") ? url.replace("/chat/ws/", "/blocked/ws/") : url); }
};
window.fetch = (url, init) => ask(blocked.has("sse") ? String(url).replace(/\\/stream\\?/, "/blocked?") : url, init);
"""


@pytest.fixture
def begin(context: BrowserContext, stack: Stack, model: StandIn) -> Callable[..., tuple[Page, Locator]]:
    """Opens a page where some transports are blocked, asks, and waits for the answer's first two words."""

    def opened(*blocked: str, words: bool = True) -> tuple[Page, Locator]:
        model.script(words=WORDS, step=True)
        page = context.new_page()
        page.add_init_script(_GATES % list(blocked))
        page.goto(stack.url)
        page.get_by_test_id("question").fill(QUESTION)
        page.get_by_test_id("send").click()
        card = page.get_by_test_id("card").last
        model.release(2)
        if words:
            expect(card.get_by_test_id("answer")).to_contain_text("word2", timeout=PATIENCE_MS)
        return page, card

    return opened


def _expect_transport(page: Page, transport: str) -> None:
    expect(page.locator(".page")).to_have_attribute("data-transport", transport, timeout=PATIENCE_MS)


def _expect_whole(card: Locator) -> None:
    expect(card).to_have_attribute("data-state", "answered", timeout=PATIENCE_MS)
    expect(card.get_by_test_id("answer")).to_contain_text("".join(WORDS).strip())
    stages = card.locator('[data-testid="stage"]')
    expect(stages).to_have_count(len({one.get_attribute("data-type") for one in stages.all()}))


def _picture(page: Page, name: str) -> None:
    folder = os.environ.get("SPANFEED_PICTURES")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def _unblock(page: Page, *blocked: str) -> None:
    page.evaluate("names => { blocked = new Set(names); dispatchEvent(new Event('online')); }", list(blocked))


def test_the_client_is_small() -> None:
    """Without this other people's pages would come to load a client that is far too large for what it does."""
    if not CLIENT.exists():
        missing("the built page (make page)")
    assert len(gzip.compress(CLIENT.read_bytes(), 9)) <= 8_192


def test_blocked_websockets(begin: Callable[..., tuple[Page, Locator]], model: StandIn) -> None:
    """Without this a reader behind a proxy that knows no WebSockets would see no word until the answer is whole."""
    page, card = begin("websocket")
    _expect_transport(page, "sse")
    expect(page.get_by_test_id("connection")).to_have_count(0)
    _unblock(page)
    _expect_transport(page, "websocket")
    model.release(len(WORDS))
    _expect_whole(card)


def test_blocked_streams(begin: Callable[..., tuple[Page, Locator]], model: StandIn) -> None:
    """Without this a reader where nothing can be streamed would get no answer, or never get back to live words."""
    page, card = begin("websocket", "sse", words=False)
    _expect_transport(page, "poll")
    expect(page.locator('[data-testid="connection"][data-state="polling"]')).to_be_visible(timeout=PATIENCE_MS)
    expect(card.locator('[data-testid="stage"][data-type="response_generation"]')).to_be_visible(timeout=PATIENCE_MS)
    _picture(page, "polling")
    _unblock(page, "websocket")
    _expect_transport(page, "sse")
    expect(card.get_by_test_id("answer")).to_contain_text("word2", timeout=PATIENCE_MS)
    _unblock(page)
    _expect_transport(page, "websocket")
    expect(page.get_by_test_id("connection")).to_have_count(0)
    model.release(len(WORDS))
    _expect_whole(card)


@pytest.mark.parametrize("blocked", [(), ("websocket",)], ids=["websocket", "stream"])
def test_offline_and_back(
    begin: Callable[..., tuple[Page, Locator]], context: BrowserContext, model: StandIn, blocked: tuple[str, ...]
) -> None:
    """Without this a reader in a tunnel would see a failure, or miss what happened meanwhile."""
    page, card = begin(*blocked)
    context.set_offline(True)
    banner = page.get_by_test_id("connection")
    expect(banner).to_have_attribute("data-state", "offline", timeout=PATIENCE_MS)
    expect(card).to_have_attribute("data-state", "running")
    _picture(page, "offline")
    model.release(len(WORDS))
    context.set_offline(False)
    expect(banner).to_have_attribute("data-state", "caught-up", timeout=PATIENCE_MS)
    _picture(page, "caught-up")
    _expect_whole(card)
    expect(banner).to_have_count(0, timeout=PATIENCE_MS)


def test_restart_in_mid_answer(begin: Callable[..., tuple[Page, Locator]], stack: Stack, model: StandIn) -> None:
    """Without this a deploy would look like a failed answer, or lose the events of its seconds."""
    page, card = begin()
    stack.stop("web")
    banner = page.get_by_test_id("connection")
    expect(banner).to_have_attribute("data-state", "reconnecting", timeout=PATIENCE_MS)
    expect(card).to_have_attribute("data-state", "running")
    _picture(page, "reconnecting")
    model.release(len(WORDS))
    stack.start_web()
    expect(banner).to_have_attribute("data-state", "caught-up", timeout=PATIENCE_MS)
    _expect_whole(card)
    _expect_transport(page, "websocket")


def test_two_tabs(
    begin: Callable[..., tuple[Page, Locator]], context: BrowserContext, stack: Stack, model: StandIn
) -> None:
    """Without this the second tab of a conversation would show other words than the first."""
    _, card = begin()
    other = context.new_page()
    other.goto(stack.url)
    twin = other.get_by_test_id("card").last
    expect(twin.get_by_test_id("answer")).to_contain_text("word1 word2", timeout=PATIENCE_MS)
    model.release(len(WORDS))
    _expect_whole(card)
    _expect_whole(twin)


def test_a_page_of_somebody_else(context: BrowserContext, stack: Stack, model: StandIn) -> None:
    """Without this the example that other people begin with would not work."""
    model.script(words=WORDS)
    page = context.new_page()
    html = (ROOT / "examples/plain.html").read_text(encoding="utf-8")
    assert len(html.splitlines()) <= 22
    # Put into a page of the server's own: a document that no server has sent may open no WebSocket to this machine.
    page.goto(f"{stack.url}/health")
    page.set_content(html)
    expect(page.locator("#now")).to_contain_text("(answered, websocket)", timeout=PATIENCE_MS)
    expect(page.locator("#answer")).to_contain_text("word12")
