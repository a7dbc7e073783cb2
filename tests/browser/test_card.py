"""What a reader does with a card: looks, reads, judges, stops, tries again, goes back; by keyboard, in any light."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.parts.missing import missing
from tests.parts.stack import ROOT, Stack
from tests.stand_in import StandIn

pytestmark = pytest.mark.browser
QUESTION = "What does the hall lamp Brightwick do?"
WORDS = ["It ", "glows ", "green ", "[1]."]
PATIENCE_MS = 30_000
AXE = ROOT / "frontend/node_modules/axe-core/axe.min.js"
_SERIOUS = """async () => (await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"] }))
  .violations.flatMap(({ id, nodes }) => nodes.map(({ failureSummary, html }) => `${id}: ${html} ${failureSummary}`))"""
_OLD = re.compile(r"^(?:[2-9]|\d{2,})\.\d s$|min")
_OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def page(context: BrowserContext, stack: Stack) -> Page:
    """The page, of a visitor who reads English and may use the clipboard."""
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=stack.url)
    opened = context.new_page()
    opened.goto(stack.url)
    return opened


def _ask(page: Page, text: str = QUESTION) -> Locator:
    page.get_by_test_id("question").fill(text)
    page.get_by_test_id("question").press("Enter")
    card = page.get_by_test_id("card").filter(has_text=text).last
    expect(card).to_be_visible()
    return card


def _becomes(card: Locator, state: str) -> None:
    expect(card).to_have_attribute("data-state", state, timeout=PATIENCE_MS)


def _sound(page: Page, what: str) -> None:
    """No serious finding of axe-core in either light, and nothing wider than a small telephone."""
    lights: list[Literal["light", "dark"]] = ["light", "dark"]
    for light in lights:
        # What is still appearing is pale for a moment, but not for who asked for less motion.
        page.emulate_media(color_scheme=light, reduced_motion="reduce")
        assert page.evaluate(_SERIOUS) == [], (what, light)
        _picture(page, f"{what}-{light}")
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate(_OVERFLOW) <= 0, what
    _picture(page, f"{what}-320")
    page.set_viewport_size({"width": 1280, "height": 900})


def _picture(page: Page, name: str) -> None:
    folder = os.environ.get("SPANFEED_PICTURES")
    if folder:
        page.screenshot(path=str(Path(folder) / f"card-{name}.png"))


def test_an_answer_from_the_first_stage_to_an_opinion(page: Page, model: StandIn) -> None:
    """Without this a reader would see too much or too little of the work, no passage, or could not say what helped."""
    if not AXE.exists():
        missing("the page's packages (make page)")
    page.add_script_tag(path=str(AXE))
    model.script(words=WORDS, step=True)
    card = _ask(page)
    model.release(2)
    expect(card.get_by_test_id("answer")).to_contain_text("glows", timeout=PATIENCE_MS)
    work = card.locator("details.progress")
    expect(work).to_have_attribute("open", "")
    expect(card.locator(".stage-work")).to_have_count(4)
    expect(page.get_by_role("status")).to_have_count(1)
    expect(page.get_by_role("status")).not_to_be_empty()
    _sound(page, "running")
    model.release(2)
    _becomes(card, "answered")
    # It closes itself, once.
    expect(work).not_to_have_attribute("open", "")
    expect(card.locator(".headline")).to_contain_text("source")
    summary = work.locator("summary").first
    summary.focus()
    page.keyboard.press("Enter")
    expect(card.locator('[data-type="saving_message"]')).to_be_visible()
    # A citation opens its passage, and the keyboard is there.
    card.locator("a.cite").first.press("Enter")
    expect(card.locator(".source-snippet").first).to_be_visible()
    expect(card.locator(".source summary").first).to_be_focused()
    card.get_by_test_id("copy").click()
    assert page.evaluate("() => navigator.clipboard.readText()") == "".join(WORDS)
    card.get_by_test_id("up").click()
    expect(card.locator(".tools-said")).not_to_be_empty()
    card.get_by_test_id("comment").fill("It was short.")
    with page.expect_response("**/feedback") as kept:
        card.get_by_test_id("comment").press("Enter")
    assert kept.value.json()["comment"] == "It was short."
    expect(card.get_by_test_id("comment")).to_have_count(0)
    expect(card.get_by_test_id("up")).to_be_focused()
    card.get_by_test_id("down").click()
    expect(card.get_by_test_id("comment")).to_be_visible()
    page.get_by_test_id("language").select_option("fr")
    expect(card.locator(".headline")).to_contain_text("Réponse en")
    page.get_by_test_id("language").select_option("en")
    page.get_by_test_id("question").fill("half a question")
    _sound(page, "answered")
    took = card.locator(".headline-words").inner_text()
    page.reload()
    _becomes(card, "answered")
    # The duration, the opinion and the draft have survived.
    expect(card.locator(".headline-words")).to_have_text(took)
    expect(card.get_by_test_id("down")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_test_id("question")).to_have_value("half a question")


def test_a_list_that_the_reader_has_touched_stays_as_it_is(page: Page, model: StandIn) -> None:
    """Without this the stages would close under the eyes of whoever reads them."""
    model.script(words=WORDS, step=True)
    card = _ask(page)
    summary = card.locator("details.progress summary").first
    summary.click()
    summary.click()
    model.release(4)
    _becomes(card, "answered")
    expect(card.locator("details.progress")).to_have_attribute("open", "")


def test_stopped_failed_and_tried_again(page: Page, model: StandIn) -> None:
    """Without this a reader could not stop an answer, would lose what was said, or not learn why there is no more."""
    page.add_script_tag(path=str(AXE))
    model.script(words=WORDS, step=True)
    card = _ask(page)
    model.release(2)
    expect(card.get_by_test_id("answer")).to_contain_text("glows", timeout=PATIENCE_MS)
    card.get_by_test_id("stop").press("Enter")
    _becomes(card, "cancelled")
    expect(card.get_by_test_id("answer")).to_contain_text("glows")
    expect(card.get_by_test_id("partial")).to_be_visible()
    model.script(fail_first=100, fail_status=400)
    card.get_by_test_id("retry").press("Enter")
    again = page.get_by_test_id("card").nth(1)
    _becomes(again, "failed")
    expect(again.get_by_role("alert").first).not_to_be_empty()
    expect(again.locator(".message-id code")).to_have_text(str(again.get_attribute("data-message-id")))
    expect(again.locator('[data-testid="stage"][data-status="failed"]')).to_have_count(1)
    expect(again.locator("details.progress")).to_have_attribute("open", "")
    _sound(page, "failed")
    model.script(words=WORDS)
    again.get_by_test_id("retry").click()
    _becomes(page.get_by_test_id("card").nth(2), "answered")


def test_an_open_stage_is_as_old_after_a_reload(page: Page, model: StandIn) -> None:
    """Without this a stage that hangs would look as if it had just begun, to whoever looks again."""
    model.script(silent=True)
    card = _ask(page)
    stage = card.locator('[data-testid="stage"][data-type="response_generation"]')
    expect(stage).to_be_visible(timeout=PATIENCE_MS)
    expect(stage.locator(".time")).to_have_text(_OLD, timeout=PATIENCE_MS)
    page.reload()
    expect(stage).to_be_visible(timeout=PATIENCE_MS)
    assert _OLD.search(stage.locator(".time").inner_text())
    card.get_by_test_id("stop").click()
    _becomes(card, "cancelled")


def test_conversations_are_left_found_again_and_deleted(page: Page, model: StandIn) -> None:
    """Without this a reader's earlier answers would be lost with the first new conversation."""
    page.add_script_tag(path=str(AXE))
    model.script(words=WORDS)
    _becomes(_ask(page), "answered")
    page.get_by_test_id("new").click()
    expect(page.get_by_test_id("card")).to_have_count(0)
    other = "Does the hall lamp Brightwick glow red?"
    _becomes(_ask(page, other), "answered")
    opener = page.get_by_test_id("conversations")
    opener.press("Enter")
    expect(page.get_by_test_id("held")).to_have_count(2)
    _sound(page, "conversations")
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    opener.press("Enter")
    page.get_by_test_id("held").filter(has_text=QUESTION).press("Enter")
    expect(page.get_by_test_id("card")).to_contain_text("glows green")
    opener.press("Enter")
    page.get_by_test_id("delete").nth(1).press("Enter")
    page.get_by_test_id("delete").nth(1).press("Enter")
    expect(page.get_by_test_id("held")).to_have_count(1)
    expect(page.get_by_test_id("held")).to_contain_text(other)
    expect(page.locator(".held")).to_be_focused()
    page.get_by_test_id("drawer-close").click()
    expect(page.get_by_test_id("card")).to_have_count(0)
