// What the client offers to a page.
export { type Api, type ApiOptions, createApi, type EventQuery, type Question } from "./api";
export { type ConnectOptions, connect, type Feed, type Transport } from "./feed";
export { emptyState, type Failure, type FeedState, fold, foldEvent, type Message, type MessageState } from "./fold";
export { parseFrame } from "./frame";
export { HttpError } from "./http";
export { elapsedMs, openStages, runningMessages, type StageNode, stageTree } from "./select";
export type { FeedNames, FeedSnapshot, FeedStatus } from "./snapshot";
export { isEnded, type Note, type Stage } from "./stage";
export type * from "./types";
