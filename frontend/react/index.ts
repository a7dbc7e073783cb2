// What the package offers to a React application.
export { type Connected, useConnectionState } from "./connection";
export type { SSEEvent, SSEMetadata } from "./event";
export { type FeedView, useFeed } from "./feed";
export type { SSEListener } from "./listeners";
export { SSEEventManager, type SSEOptions, type SSEStats, sseEventManager } from "./manager";
export { type SSEContextValue, SSEProvider, type SSEProviderProps, useSSE } from "./provider";
export { type ChatRun, type ChatRunOptions, useChatRun } from "./run";
export type { FeedOptions } from "./shared";
export { StageTimeline, type StageTimelineProps, type TimelinePart, type TimelineTexts } from "./timeline";
