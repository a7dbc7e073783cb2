// Notifications only of critical events, and only where somebody has said yes.
import assert from "node:assert/strict";
import test from "node:test";
import { Events, say, told } from "./page";

const shown: string[] = [];
let asked = 0;

class Notices {
  static permission = "default";
  static async requestPermission(): Promise<string> {
    asked += 1;
    return (Notices.permission = "granted");
  }

  constructor(title: string, { body, tag }: { body: string; tag: string }) {
    shown.push(`${title} ${body} ${tag}`);
  }
}

async function critical(options = {}) {
  const server = new Events();
  const manager = server.manager(options);
  manager.connect();
  await server.accept();
  const more = { priority: "critical", user_message: "The disc is full." };
  await say(server.last, told(1, "system.alert", more), told(2), told(3, "job.failed", { priority: "high" }));
  return { server, manager };
}

function press(isActive: boolean): void {
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { userActivation: { isActive } } });
}

test("without this a page asks for notifications by itself, or shows them unasked", async () => {
  assert.equal(await new Events().manager().requestNotificationPermission(), false);
  Object.assign(globalThis, { Notification: Notices });
  press(false);
  const { manager } = await critical();
  assert.equal(await manager.requestNotificationPermission(), false);
  assert.deepEqual([asked, shown], [0, []]);
  press(true);
  assert.equal(await manager.requestNotificationPermission(), true);
  manager.disconnect();
  assert.equal(asked, 1);
});

test("without this a critical event is shown twice, an ordinary one too, or none to who said yes", async () => {
  shown.length = 0;
  const { server, manager } = await critical();
  assert.deepEqual(shown, ["system.alert The disc is full. spanfeed-1"]);
  await say(server.last, { id: "x", type: "connection.reset", data: { epoch: "e2", last_id: 9 } });
  await say(server.last, told(1, "system.alert", { priority: "critical" }));
  assert.equal(shown.length, 1);
  manager.disconnect();
  (await critical({ notifications: false })).manager.disconnect();
  assert.equal(shown.length, 1);
});
