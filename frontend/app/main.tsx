// Starts the page.
import { createRoot } from "react-dom/client";
import { connect } from "../client";
import { systemClock } from "../client/clock";
import { createPageApi } from "./api";
import { Chat } from "./chat";
import { browserMemory } from "./storage";
import "./style/main.css";
import { App } from "./view/App";

const HIDDEN_MS = 200;

/** Once per drawn frame; a page nobody sees draws none, so there a timer does. */
function soon(run: () => void): void {
  if (document.visibilityState === "visible") requestAnimationFrame(run);
  else window.setTimeout(run, HIDDEN_MS);
}

const memory = browserMemory();
const chat = new Chat({ api: createPageApi(), memory, clock: systemClock, random: Math.random, connect, soon });
const root = document.getElementById("root");

if (root) {
  createRoot(root).render(<App chat={chat} memory={memory} />);
  chat.start();
}
