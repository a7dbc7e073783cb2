"""A real Chromium, and a Spanfeed whose model says what the test wants."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.parts.missing import missing
from tests.parts.redis_part import RedisPart
from tests.parts.stack import ROOT, Stack
from tests.stand_in import StandIn

LAMP = "# The hall lamp\n\nThe hall lamp Brightwick glows green when the door is open.\n"
CLIENT = ROOT / "web/static/app/spanfeed.js"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    """The browser's program, where there is one."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless; no longer than a file, as this thread has a running event loop meanwhile."""
    program = chromium()
    if program is None:
        missing("Chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def model() -> Iterator[StandIn]:
    """A model whose words come when the test says so."""
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, model: StandIn) -> Iterator[Stack]:
    """One Spanfeed for all of these tests."""
    if not CLIENT.exists():
        missing("the built page (make page)")
    part = RedisPart(tmp_path_factory.mktemp("valkey"))
    model_settings = {"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "sk-test", "OPENAI_MODEL": model.model}
    made = Stack(tmp_path_factory.mktemp("home"), part, **model_settings)
    made.add_document("house.md", LAMP)
    made.start()
    yield made
    made.close()
    part.stop(kill=True)


@pytest.fixture
def context(browser: Browser, stack: Stack) -> Iterator[BrowserContext]:
    """A visitor, whose pages ask nobody but Spanfeed and say nothing of their own on the console."""
    opened = browser.new_context(viewport={"width": 1280, "height": 900}, bypass_csp=True)
    with well_behaved(opened, stack):
        yield opened


@contextlib.contextmanager
def well_behaved(opened: BrowserContext, stack: Stack) -> Iterator[None]:
    """Closes the context at the end; its pages must have asked nobody but Spanfeed and said no error of their own."""
    said: list[str] = []
    foreign: list[str] = []

    def watch(page: Page) -> None:
        page.on("console", lambda line: said.append(line.text) if is_ours(line) else None)
        page.on("pageerror", lambda error: said.append(str(error)))

    opened.on("page", watch)
    opened.on("request", lambda asked: foreign.append(asked.url) if not asked.url.startswith(stack.url) else None)
    yield
    opened.close()
    assert (said, foreign) == ([], [])


def is_ours(line: ConsoleMessage) -> bool:
    """An error, but not the browser's own word that a request or a handshake has failed: no page can keep it back."""
    network = line.text.startswith("Failed to load resource") or "WebSocket connection to" in line.text
    return line.type == "error" and not network
