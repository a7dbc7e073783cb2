"""The first seed's JavaScript, as written but for the server's address and the key, in a page that Spanfeed serves."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext

from tests.parts.stack import KEY, Stack
from tests.stand_in import StandIn

pytestmark = pytest.mark.browser
_FEED = """sessionId => {
const said = window.said = [];
const console = {log: line => said.push(line)};

const ws = new WebSocket(`ws://localhost:5000/chat/ws/events/${sessionId}`);

ws.onmessage = function(event) {
    const data = JSON.parse(event.data);
    if (data.type === 'event') {
        console.log(data.event.user_message); // e.g., "AI is analyzing your question..."
    }
};
return new Promise(done => { ws.onopen = () => done(); });
}"""
_POLL = """async sessionId => {
const response = await fetch(`/chat/events/${sessionId}/latest?count=10`, {
    headers: { 'X-API-Key': 'your-api-key' }
});
const data = await response.json();
return data;
}"""
_ASK = """sessionId => fetch("/chat/", {
  method: "POST",
  headers: {"Content-Type": "application/json", "X-Requested-With": "spanfeed"},
  body: JSON.stringify({message: "What does the hall lamp Brightwick do?", session_id: sessionId}),
}).then(response => response.status)"""


def test_a_page_of_the_first_seed_hears_and_polls(context: BrowserContext, stack: Stack, model: StandIn) -> None:
    """Without this a frontend of the first seed would need more than a new address and a key."""
    model.script(words=["It ", "glows ", "green [1]."])
    page = context.new_page()
    with page.expect_response("**/page/session") as made:
        page.goto(stack.url)
    session_id = made.value.json()["session_id"]
    page.evaluate(_FEED.replace("localhost:5000", stack.url.partition("://")[2]), session_id)
    assert page.evaluate(_ASK, session_id) == 200
    page.wait_for_function("said.length >= 8")
    found = page.evaluate(_POLL.replace("your-api-key", KEY), session_id)
    sentences = [event["user_message"] for event in found["events"]]
    assert len(sentences) == 10
    page.wait_for_function("last => said.at(-1) === last", arg=sentences[-1])
    assert page.evaluate("said")[-10:] == sentences
