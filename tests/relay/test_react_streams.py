"""The browser's reader of unified streams, as React applications use it, against a real server."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.parts.node_program import node_program
from tests.parts.stack import KEY, Stack
from tests.relay.conftest import WAYS

_DEADLINE_SECONDS = 60
_PROGRAM = """
import { SSEEventManager } from "./react/manager";

const [baseUrl, apiKey, userId] = process.argv.slice(2);
const post = async (path, body) => {
  const headers = { "X-API-Key": apiKey, "Content-Type": "application/json" };
  const reply = await fetch(`${baseUrl}/api/v1/events${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  if (!reply.ok) throw new Error(`${path}: ${reply.status} ${await reply.text()}`);
  return reply.json();
};
let asked = 0;
const getToken = async () => (asked++ === 0 ? "worn-out" : (await post("/token", { user_id: userId })).token);
const user = new SSEEventManager({ baseUrl, getToken });
const admin = new SSEEventManager({ baseUrl, apiKey, admin: true });
const heard = { user: [], pattern: [], urgent: [], admin: [] };
const until = (manager, type) =>
  new Promise((resolve) => {
    const end = manager.on(type, (event) => {
      end();
      resolve(event);
    });
  });
user.on("*", ({ type }) => heard.user.push(type));
user.on("custom.*", ({ data }) => heard.pattern.push(data.n));
user.onHighPriority(({ type }) => heard.urgent.push(type));
admin.on("custom.*", (event) => event.user_id === userId && heard.admin.push(event.data.n));
const send = (n, more = {}) => post("", { type: "custom.count", data: { n }, user_id: userId, ...more });

const ready = [until(user, "connection.established"), until(admin, "admin.connection.established")];
user.connect();
admin.connect();
await Promise.all(ready);
const tested = until(user, "system.status");
const sent = await user.triggerTestEvent();
await tested;
const first = until(user, "custom.count");
await send(1);
await first;
user.disconnect();
const state = user.getConnectionState();
await send(2);
await send(3, { priority: "high" });
const last = until(user, "custom.end");
const seen = until(admin, "custom.end");
await post("", { type: "custom.end", user_id: userId, data: { n: 4 } });
user.connect();
await Promise.all([last, seen]);
const { eventCount, isConnected } = user.getConnectionStats();
const stats = await admin.getSSEStats();
user.disconnect();
admin.disconnect();
const counted = typeof stats.total_connections;
console.log(JSON.stringify({ ...heard, asked, sent, state, eventCount, isConnected, counted }));
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that runs the reader."""
    return node_program(_PROGRAM, tmp_path_factory.mktemp("react"))


@pytest.mark.parametrize("way", WAYS)
def test_a_react_application_hears_a_users_events_once_and_goes_on_after_a_cut(
    way: str, shared: Callable[[str], Stack], program: list[str], user: str
) -> None:
    """Without this the package for React would work with the server that its own tests make up, and with no other."""
    arguments = [*program, shared(way).url, KEY, user]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=_DEADLINE_SECONDS)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told == {
        "user": [
            "connection.established",
            "system.status",
            "custom.count",
            "connection.established",
            "custom.count",
            "custom.count",
            "custom.end",
        ],
        "pattern": [1, 2, 3, 4],
        "urgent": ["custom.count"],
        "admin": [1, 2, 3, 4],
        "asked": 2,
        "sent": True,
        "state": "closed",
        "eventCount": 5,
        "isConnected": True,
        "counted": "number",
    }
