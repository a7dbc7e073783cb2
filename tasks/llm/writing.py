"""A model's answer on its way to the user: checked piece by piece, and as a whole when it has ended."""

from __future__ import annotations

import dataclasses

from pipeline.errors import StoreUnavailable, TransientFault
from pipeline.store.stems import Stemmer
from tasks.llm.checking import CitationFilter, RefusalWatch
from tasks.llm.citations import cited_sources
from tasks.llm.follow_ups import follow_ups
from tasks.llm.grounding import grounding
from tasks.llm.messages import usable_passages
from tasks.llm.model import Answer, Question
from tasks.llm.texts import refusal

_NEAREST_LIMIT = 3


class Writing:
    """What is shown of an answer to `question`. The pieces that `take` and `finish` give are its text."""

    def __init__(self, question: Question, stemmer: Stemmer) -> None:
        self._question = question
        self._stemmer = stemmer
        self._passages = usable_passages(question)
        self._watch = RefusalWatch()
        self._filter = CitationFilter(len(self._passages))
        self._shown: list[str] = []

    def take(self, piece: str) -> str:
        """What can be shown now that `piece` has come."""
        return self._keep(self._filter.take(self._watch.take(piece)))

    def finish(self) -> str:
        """What is shown at the end: what was held back, or a refusal. Raises TransientFault when there is nothing."""
        if self._watch.refused:
            titles = list(dict.fromkeys(passage.title for passage in self._question.passages))[:_NEAREST_LIMIT]
            return self._keep(refusal(self._question.language, titles))
        text = self._keep(self._filter.take(self._watch.finish()) + self._filter.finish())
        if not "".join(self._shown).strip():
            raise TransientFault("The model gave an empty answer.")
        return text

    def answer(self, retriever_type: str) -> Answer:
        """The whole answer. Raises TransientFault when it cannot be checked just now.

        The confidence of an answer from passages is the question's, times the share of the answer that was found in
        the passages; of one that claims nothing from them it is the question's.
        """
        question, text = self._question, "".join(self._shown)
        if self._watch.refused or not self._passages:
            refused = question.mode != "greeting"
            return Answer(text, (), question.confidence if refused else 1.0, retriever_type, refused)
        try:
            found = grounding(text, self._passages, question.text, self._stemmer)
        except StoreUnavailable as error:
            raise TransientFault(str(error)) from error
        sources = cited_sources(text, self._passages)
        held = 1.0 if question.statements else min(question.confidence, 1.0)
        return Answer(
            text,
            sources,
            held * found.share,
            retriever_type,
            follow_ups=follow_ups(question, self._passages, sources),
            checks={**dataclasses.asdict(found), "citations_removed": self._filter.removed},
        )

    def _keep(self, text: str) -> str:
        if text:
            self._shown.append(text)
        return text
