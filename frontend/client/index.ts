// What the client offers to a page.
export { type Api, type ApiOptions, createApi, type EventQuery, type Question } from "./api";
export { type ConnectOptions, connect, type Feed } from "./feed";
export { emptyState, type Failure, type FeedState, fold, foldEvent, type Message, type MessageState } from "./fold";
export { parseFrame } from "./frame";
export { HttpError, type Token } from "./http";
export type { Transport } from "./line";
export { elapsedMs, openStages, runningMessages, type StageNode, stageTree } from "./select";
export type { FeedNames, FeedSnapshot, FeedStatus } from "./snapshot";
export type { Signs } from "./signs";
export { isEnded, type Note, type Stage } from "./stage";
export type { ConnectionState, ConnectionStats } from "./stats";
export type * from "./types";
