"""What happens in the README's pictures: a question about the documentation, its stages, its answer, a passage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Locator, Page, expect

from tests.recording.film import Film

QUESTION = "How do I add my own documents?"
SHORT_QUESTION = "Which file formats can be read?"
PATIENCE_MS = 30_000
_TYPED_EACH_MS = 45
_SIZES: dict[str, tuple[int, int, Literal["light", "dark"]]] = {
    "chat.png": (1440, 900, "light"),
    "chat-dark.png": (1440, 900, "dark"),
    "chat-narrow.png": (320, 640, "light"),
    "chat-narrow-dark.png": (320, 640, "dark"),
}


def film(browser: Browser, url: str, into: Film) -> int:
    """Films one question from the first letter to an open passage; the file's size in bytes."""
    page = browser.new_page(viewport={"width": 900, "height": 640})
    page.goto(url)
    expect(page.locator(".welcome")).to_be_visible()
    into.watch(page, 0.6)
    for letter in QUESTION:
        page.keyboard.type(letter, delay=_TYPED_EACH_MS)
        into.watch(page, 0.01)
    page.keyboard.press("Enter")
    card = page.get_by_test_id("card").last
    into.shoot(page, lambda: card.get_attribute("data-state") == "answered")
    into.watch(page, 1.5)
    card.locator("a.cite").first.click()
    into.watch(page, 1.5)
    size = into.save()
    page.close()
    return size


def pictures(browser: Browser, url: str, folder: Path) -> Iterator[str]:
    """Takes the pictures of an answer with its stages and a passage; the names of their files."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(url)
    card = _answered(page, SHORT_QUESTION)
    card.locator("details.progress summary").first.click()
    card.locator("a.cite").first.click()
    for name, (width, height, light) in _SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=light)
        page.evaluate("() => window.scrollTo(0, 0)")
        page.screenshot(path=str(folder / name))
        yield name
    page.close()


def _answered(page: Page, question: str) -> Locator:
    page.get_by_test_id("question").fill(question)
    page.keyboard.press("Enter")
    card = page.get_by_test_id("card").filter(has_text=question).last
    expect(card).to_have_attribute("data-state", "answered", timeout=PATIENCE_MS)
    return card
