"""What a newcomer does on the page, with a real browser."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.parts.missing import missing
from tests.parts.stack import ROOT, Stack
from tests.stand_in import StandIn

pytestmark = pytest.mark.browser
LAMP = """# The hall lamp

The hall lamp Brightwick glows green when the door is open.

To turn off the hall lamp Brightwick, press the copper button twice.

# The kettle

The kettle Steamwell boils two litres of water.
"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that must not say anything on the console but what the test expects."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: said.append(str(error)))
    yield opened
    context.close()
    assert said == []


def _built() -> None:
    if not (ROOT / "web/static/app/index.html").exists():
        missing("the built page (make page)")


def _picture(page: Page, name: str) -> None:
    """Keeps a picture where the environment asks for one: for the README."""
    folder = os.environ.get("SPANFEED_PICTURES")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def _ask(page: Page, text: str) -> None:
    page.get_by_test_id("question").fill(text)
    page.get_by_test_id("send").click()


def test_newcomer(make_stack: Callable[..., Stack], page: Page) -> None:
    """Without this a newcomer would not get from a question to a cited answer, with its stages, on the page."""
    _built()
    stack = make_stack(SPANFEED_EXTRACTIVE_WORDS_PER_SECOND="15")
    stack.add_document("house.md", LAMP)
    stack.start()
    page.goto(stack.url)
    _ask(page, "What does the hall lamp Brightwick do when the door is open?")
    card = page.get_by_test_id("card").last
    for stage in ("message_received", "agent_thinking", "tool_search_documents", "response_generation"):
        expect(card.locator(f'[data-testid="stage"][data-type="{stage}"]')).to_be_visible(timeout=15_000)
    expect(card.get_by_test_id("answer")).to_contain_text("glows green", timeout=15_000)
    expect(card).to_have_attribute("data-state", "answered", timeout=15_000)
    expect(card.get_by_test_id("source").first).to_contain_text("The hall lamp")
    expect(card.locator('[data-testid="stage"]')).to_have_count(5)
    for stage in card.locator('[data-testid="stage"]').all():
        assert stage.get_attribute("data-status") == "completed"

    # A follow-up needs the history.
    _ask(page, "and how do I turn it off?")
    follow_up = page.get_by_test_id("card").nth(1)
    expect(follow_up.get_by_test_id("answer")).to_contain_text("press the copper button twice", timeout=15_000)
    expect(follow_up.locator('[data-type="loading_history"]')).to_have_count(1)
    expect(follow_up).to_have_attribute("data-state", "answered", timeout=15_000)

    # What the documents do not hold is said plainly.
    _ask(page, "Who won the ice hockey championship in 1987?")
    refused = page.get_by_test_id("card").nth(2)
    expect(refused).to_have_attribute("data-state", "answered", timeout=15_000)
    expect(refused.get_by_test_id("answer")).to_contain_text("could not find an answer")
    expect(refused.get_by_test_id("source")).to_have_count(0)
    _picture(page, "chat")

    # A reload shows the whole conversation again.
    page.reload()
    expect(page.get_by_test_id("card")).to_have_count(3, timeout=15_000)
    expect(page.get_by_test_id("card").first.get_by_test_id("answer")).to_contain_text("glows green")


def test_reload_in_mid_answer(make_stack: Callable[..., Stack], page: Page) -> None:
    """Without this a reload would lose the words that had been said, or the rest of the answer."""
    _built()
    words = [f"word{number} " for number in range(1, 21)]
    with StandIn() as model:
        stack = make_stack(OPENAI_BASE_URL=model.base_url, OPENAI_API_KEY="sk-test", OPENAI_MODEL=model.model)
        stack.add_document("house.md", LAMP)
        stack.start()
        model.script(words=words, step=True)
        page.goto(stack.url)
        _ask(page, "What does the hall lamp Brightwick do?")
        card = page.get_by_test_id("card").last
        for number in range(1, 6):
            model.release()
            expect(card.get_by_test_id("answer")).to_contain_text(f"word{number}", timeout=15_000)
        page.reload()
        card = page.get_by_test_id("card").last
        expect(card.get_by_test_id("answer")).to_contain_text("word1 word2 word3 word4 word5", timeout=15_000)
        expect(card).to_have_attribute("data-state", "running")
        model.release(15)
        expect(card).to_have_attribute("data-state", "answered", timeout=15_000)
        expect(card.get_by_test_id("answer")).to_contain_text("".join(words).strip())


def test_the_bus_is_away(make_stack: Callable[..., Stack], browser: Browser) -> None:
    """Without this a reader would not know that their question is kept while Redis is away, and answered after."""
    _built()
    stack = make_stack()
    stack.add_document("house.md", LAMP)
    stack.start()
    context = browser.new_context()
    page = context.new_page()
    page.goto(stack.url)
    _ask(page, "What does the hall lamp Brightwick do when the door is open?")
    expect(page.get_by_test_id("card").last).to_have_attribute("data-state", "answered", timeout=15_000)
    stack.redis.stop()
    _ask(page, "and how do I turn it off?")
    expect(page.locator('[data-state="bus-away"]')).to_contain_text("kept", timeout=40_000)
    card = page.get_by_test_id("card").nth(1)
    expect(card).to_have_attribute("data-state", "running")
    _picture(page, "bus-away")
    stack.redis.start()
    stack.revive("worker")
    expect(card).to_have_attribute("data-state", "answered", timeout=40_000)
    expect(card.get_by_test_id("answer")).to_contain_text("press the copper button twice")
    expect(page.get_by_test_id("connection")).to_have_count(0, timeout=40_000)
    context.close()
