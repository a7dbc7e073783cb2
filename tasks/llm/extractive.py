"""Answers without a model: sentences quoted word for word from the passages, or a plain refusal."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Generator, Sequence

from pipeline.errors import FenceLost, StoreUnavailable, TransientFault
from pipeline.store.stems import Stemmer
from tasks.llm.citations import source
from tasks.llm.follow_ups import follow_ups
from tasks.llm.model import Answer, Question, Source
from tasks.llm.texts import refusal, say
from tasks.rag.quotes import Quote, choose_quotes
from tasks.rag.retriever import Passage
from tasks.rag.smalltalk import is_thanks

RETRIEVER_TYPE = "extractive-fts5"

# Three sentences out of five passages hold the answer for .854 of questions, one sentence for .700.
_SENTENCES_LIMIT = 3
_NEAREST_LIMIT = 3
_TICK_SECONDS = 0.05
_WORD = re.compile(r"\s*\S+\s*")
# Line ends of a wrapped text are spaces to a reader; those before a list item are not.
_WRAPPED = re.compile(r"[ \t]*\n\s*(?![-*+\u2022] |\d{1,3}[.)] |\s)")
_BLANK_LINES = re.compile(r"\n\s*\n")


class ExtractiveModel:
    """A Model that quotes. Never paraphrases: what it cannot quote with confidence it refuses to answer.

    `refusal_threshold` is the confidence (0..1) below which it refuses; `words_per_second` its pace, 0 at once;
    `passages` how many of the best passages it reads. Safe to make before a fork and to use from several threads.
    """

    provider = "spanfeed"
    name = "extractive"

    def __init__(self, refusal_threshold: float = 0.68, words_per_second: float = 40.0, passages: int = 5) -> None:
        self._threshold = refusal_threshold
        self._words_per_second = words_per_second
        self._passages = passages
        self._stemmer = Stemmer()

    def stream(self, question: Question, stopped: Callable[[], bool]) -> Generator[str, None, Answer]:
        """Yields the answer word by word, then returns it; `stopped()` is looked at every 50 ms and for each word.

        At a slow pace it yields the empty string every 50 ms, so that the caller can look after other duties.
        Raises FenceLost when stopped, TransientFault when the passages cannot be read.
        """
        if stopped():
            raise FenceLost
        answer = self._answer(question)
        # Nobody sets it: waiting on it is a wait with a deadline that ends early in no case.
        never = threading.Event()
        began = time.monotonic()
        for number, word in enumerate(_WORD.findall(answer.text)):
            due = began + number / self._words_per_second if self._words_per_second > 0 else began
            while (left := due - time.monotonic()) > 0:
                if stopped():
                    raise FenceLost
                never.wait(min(left, _TICK_SECONDS))
                if left > _TICK_SECONDS:
                    yield ""
            if stopped():
                raise FenceLost
            yield word
        return answer

    def _answer(self, question: Question) -> Answer:
        if question.mode == "greeting":
            reply = "thanks" if is_thanks(question.text) else "greeting"
            return Answer(say(reply, question.language), (), 1.0, RETRIEVER_TYPE)
        passages = question.passages[: self._passages]
        if not passages and question.search_failed:
            return Answer(say("unavailable", question.language), (), 0.0, RETRIEVER_TYPE, refused=True)
        quotes = self._quotes(question, passages)
        if not quotes and not question.statements:
            titles = list(dict.fromkeys(passage.title for passage in passages))[:_NEAREST_LIMIT]
            confidence = min(question.confidence, self._threshold)
            return Answer(refusal(question.language, titles), (), confidence, RETRIEVER_TYPE, refused=True)
        sources = [source(number, stated) for number, stated in enumerate(question.statements, start=1)]
        sources += [_source(number, quote) for number, quote in enumerate(quotes, start=len(sources) + 1)]
        texts = [stated.text for stated in question.statements] + [_shown(quote.text) for quote in quotes]
        return Answer(
            "\n".join(f"{text} [{number}]" for number, text in enumerate(texts, start=1)),
            tuple(sources),
            # What a tool states it has counted or looked up.
            1.0 if question.statements else min(question.confidence, 1.0),
            RETRIEVER_TYPE,
            follow_ups=follow_ups(question, passages, sources),
        )

    def _quotes(self, question: Question, passages: Sequence[Passage]) -> list[Quote]:
        if question.confidence < self._threshold:
            return []
        try:
            return choose_quotes(self._stemmer, question.text, question.standalone, passages, _SENTENCES_LIMIT)
        except StoreUnavailable as error:
            raise TransientFault(str(error)) from error


def _shown(text: str) -> str:
    return _BLANK_LINES.sub("\n", _WRAPPED.sub(" ", text))


def _source(number: int, quote: Quote) -> Source:
    passage = quote.passage
    return Source(
        number, passage.title, passage.url, quote.text, passage.path, passage.collection, quote.start, quote.end
    )
