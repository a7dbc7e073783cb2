// Questions one asks of a folded message: its stages as a tree, and whether something is still open.
import type { FeedState, Message } from "./fold";
import { isEnded, type Stage } from "./stage";

export interface StageNode {
  stage: Stage;
  children: StageNode[];
}

/** Stages under the stage whose span is their parent, each level in order of appearance. */
export function stageTree(message: Message): StageNode[] {
  const nodes = message.stages.map((stage): StageNode => ({ stage, children: [] }));
  const bySpan = new Map(nodes.map((node) => [node.stage.spanId, node]));
  const roots: StageNode[] = [];
  for (const node of nodes) {
    const { parentSpanId, spanId } = node.stage;
    const parent = parentSpanId && parentSpanId !== spanId ? bySpan.get(parentSpanId) : undefined;
    (parent?.children ?? roots).push(node);
  }
  return roots;
}

export function openStages(message: Message): Stage[] {
  return message.stages.filter((stage) => !isEnded(stage.status));
}

export function runningMessages(state: FeedState): Message[] {
  return state.order.flatMap((id) => {
    const message = state.messages[id];
    return message?.state === "running" ? [message] : [];
  });
}

/** How long a message took, or has taken so far by the server's clock. */
export function elapsedMs(message: Message, serverNow: number): number | null {
  if (message.startedAt === null) return null;
  return Math.max(0, (message.endedAt ?? serverNow) - message.startedAt);
}
