"""The examples for React and Vue, bundled as other people would bundle them, in a real browser."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.parts.missing import missing
from tests.parts.stack import ROOT, Stack
from tests.stand_in import StandIn

pytestmark = pytest.mark.browser
FRONTEND = ROOT / "frontend"
PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the bundled examples."""
    node = shutil.which("node")
    if node is None or not (FRONTEND / "node_modules/vue").is_dir():
        missing("Node.js with the page's packages")
    folder = tmp_path_factory.mktemp("examples")
    subprocess.run([node, "examples.mjs", str(folder)], cwd=FRONTEND, check=True, timeout=60)
    return folder


@pytest.mark.parametrize("framework", ["react", "vue"])
def test_an_example_asks_and_shows_the_answer(
    context: BrowserContext, stack: Stack, model: StandIn, framework: str, bundles: Path
) -> None:
    """Without this whoever begins with an example would begin with something that does not work."""
    with stack.client() as client:
        token = client.post("/api/v1/events/token", json={"user_id": "anna"}).json()["token"]
    model.script(words=["Press ", "twice ", "[1]."])
    page = context.new_page()
    page.route("**/my/events-token", lambda route: route.fulfill(body=token))
    # Put into a page of the server's own: a document that no server has sent may open no WebSocket to this machine.
    page.goto(f"{stack.url}/health")
    page.add_script_tag(path=str(bundles / f"{framework}.js"), type="module")
    page.locator("input").fill("How do I turn off the hall lamp Brightwick?")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("pre").last).to_have_text("Press twice [1].", timeout=PATIENCE_MS)
    expect(page.locator("ul li").first).to_contain_text("lamp", timeout=PATIENCE_MS)
    expect(page.get_by_role("button", name="Send")).to_be_visible()
