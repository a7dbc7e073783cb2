// Every text of the page that is not the server's; one object of this shape for each language.

export interface Texts {
  title: string;
  emptyTitle: string;
  emptyText: string;
  language: string;
  newConversation: string;
  conversation: string;
  question: string;
  placeholder: string;
  hint: string;
  send: string;
  askedElsewhere: string;
  answer: string;
  working: string;
  answeredIn(time: string): string;
  failedAfter(time: string): string;
  answered: string;
  failed: string;
  steps: string;
  attempt(number: number): string;
  found(count: number): string;
  reasons: Readonly<Record<string, string>>;
  sources: string;
  source(number: number): string;
  quoted: string;
  partial: string;
  noAnswer: string;
  messageId: string;
  copy: string;
  copied: string;
  connecting: string;
  reconnecting: string;
  polling: string;
  unreachable: string;
  kept: string;
  refused: string;
  retryIn(seconds: number): string;
}
