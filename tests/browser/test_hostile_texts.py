"""The page shows whatever is said, and runs and loads none of it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, Route, expect

from pipeline.bus import open_bus
from pipeline.event import Status
from tests.browser.conftest import CLIENT, LAMP
from tests.browser.hostile_texts import HOSTILE
from tests.parts.missing import missing
from tests.parts.stack import Stack
from tests.parts.waiting import wait_for
from tests.stand_in import StandIn
from tests.web.site import emit

pytestmark = pytest.mark.browser
PATIENCE_MS = 30_000
QUESTION = "What does the hall lamp Brightwick do?"
_COUNT_HITS = "window.hits = 0; window.hit = window.alert = window.confirm = window.prompt = () => { hits += 1; };"
_AS_HTML = """all => all.forEach(one => {
  const place = document.createElement("p");
  place.innerHTML = one;
  document.getElementById("root").append(place);
})"""
_ALIEN = """() => [...document.querySelectorAll("#root *")].filter(one =>
  one.getAttributeNames().some(name => name.startsWith("on") || name === "srcdoc" || name === "ping")
  || (one.localName === "a" && !/^(https?|mailto):/.test(one.href))
  || one.matches("script, iframe, object, embed, base, meta, link, style, video, audio, img, picture, template")
).map(one => one.outerHTML)"""


def _newest_message(stack: Stack, session_id: str) -> str:
    with stack.client() as http:
        messages = http.get(f"/chat/{session_id}").json()["messages"]
    return str([one["message_id"] for one in messages if one["message_type"] == "user"][-1])


def test_hostile_texts_are_shown_and_neither_run_nor_loaded(
    context: BrowserContext, stack: Stack, model: StandIn
) -> None:
    """Without this a document, a model or a stranger's message could act as the reader, on their page."""
    assert len(HOSTILE) >= 200
    title = "The lamp <img src=x onerror=hit(1)> [x](javascript:hit(1))"
    stack.add_document("hostile.md", f"# {title}\n\n{QUESTION} It glows. " + " ".join(HOSTILE[-60:]))
    stack.add_document('x"><svg onload=hit(1)>.md', LAMP)
    model.script(words=[*(f"{said}\n\n" for said in HOSTILE), "[1] ", "[2]"], step=True)
    page = context.new_page()
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog: {dialog.message}"))
    page.add_init_script(_COUNT_HITS)
    with page.expect_response("**/page/session") as made:
        page.goto(stack.url)
        page.get_by_test_id("question").fill(f"{QUESTION}\n" + "\n".join(HOSTILE))
        page.get_by_test_id("send").click()
    session_id = made.value.json()["session_id"]
    card = page.get_by_test_id("card").last
    model.release(len(HOSTILE))
    expect(card.get_by_test_id("answer")).to_contain_text("onbeforetoggle=hit(1)", timeout=PATIENCE_MS)
    message_id = _newest_message(stack, session_id)
    bus = open_bus(stack.settings())
    for number, said in enumerate((*HOSTILE, "the last <b>word</b>")):
        data = {"collection": said, "error_message": said, "found": said, said: said}
        status = (Status.STARTED, Status.PROGRESS, Status.FAILED)[number % 3]
        emit(bus, session_id, 1, "tool_own", status, text=said, data=data, message_id=message_id)
    bus.close_connections()
    expect(card).to_contain_text("the last <b>word</b>", timeout=PATIENCE_MS)
    assert page.evaluate(_ALIEN) == []
    model.release(2)
    expect(card).to_have_attribute("data-state", "answered", timeout=PATIENCE_MS)
    expect(card.get_by_test_id("source").first).to_be_visible()
    # As the conversation is read anew, from the database.
    page.reload()
    expect(page.get_by_test_id("card").last).to_contain_text("onbeforetoggle=hit(1)", timeout=PATIENCE_MS)
    assert page.evaluate(_ALIEN) == []
    assert page.evaluate("() => hits") == 0


def test_the_hostile_texts_are_hostile(browser: Browser) -> None:
    """Without this the test above could say that nothing happens, because nothing in it could."""
    context = browser.new_context()
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        if "page.example" in route.request.url:
            route.fulfill(content_type="text/html", body="<div id=root></div>")
        else:
            route.abort()

    context.route("**/*", answer)
    page = context.new_page()
    page.add_init_script(_COUNT_HITS)
    page.goto("http://page.example/")
    # Two of them would lead the page away, or change what its addresses mean.
    texts = [one for one in HOSTILE if not one.startswith(("<meta", "<base"))]
    page.evaluate(_AS_HTML, texts)
    aliens = len(page.evaluate(_ALIEN))

    def harmed() -> bool:
        page.wait_for_timeout(20)
        return bool(page.evaluate("() => hits") >= 15) and sum("evil.example" in url for url in asked) >= 5

    wait_for(harmed, "scripts and foreign requests")
    assert aliens >= 100
    context.close()


def test_the_page_loads_nothing_of_anybody_elses() -> None:
    """Without this whoever runs a font's or a script's server would learn who reads what, or could change the page."""
    if not CLIENT.exists():
        missing("the built page (make page)")
    for file in CLIENT.parent.iterdir():
        if file.suffix in {".html", ".css", ".svg"}:
            text = file.read_text(encoding="utf-8")
            assert not re.findall(r"""(?:src|href|action|url|@import)\s*[=(]?\s*["']?(?:https?:)?//""", text), file.name
        if file.suffix == ".js":
            loaded = re.findall(r"""(?:import|from|fetch|src\s*=)\s*\(?\s*["'`](?:https?:)?//""", file.read_text())
            assert not loaded, file.name
