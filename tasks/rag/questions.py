"""A question's words, each with the stems under which texts in different languages may hold it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.store.stems import Stemmer
from pipeline.store.word_forms import LANGUAGES_WITH_FORMS, forms
from tasks.rag.terms import words


class Words:
    """Words of a question. A word that stems to the same as an earlier one is that one. Raises StoreUnavailable."""

    def __init__(self, stemmer: Stemmer, asked: Sequence[str]) -> None:
        self._stemmer = stemmer
        self.spelled: dict[str, str] = {}
        """Stem → the first word that has it; the order is the question's."""
        self.forms: dict[str, tuple[str, ...]] = {}
        """Stem → all stems that count as it, itself first."""
        self.written: dict[str, str] = {}
        """Stem → the word to search for: the index makes a stem of it itself."""
        self._known: dict[str, str] = {}
        for word, stems in zip(asked, stemmer.stems(asked), strict=True):
            for stem in stems:
                if stem not in self.spelled:
                    self.spelled[stem] = word
                    self.forms[stem] = (stem, *_all_forms(word))
                    for form in reversed(self.forms[stem]):
                        self._known.setdefault(form, stem)
                        self.written[form] = form
        for stem, word in self.spelled.items():
            self._known[stem], self.written[stem] = stem, word

    def all_forms(self) -> list[str]:
        """Every stem, for looking up how common it is."""
        return [form for found in self.forms.values() for form in found]

    def counts_as(self, stem: str, spelled: str, form: str) -> None:
        """From now on the `form`, which is the stem of the word `spelled`, counts as the word with the stem."""
        self.forms[stem] = (*self.forms[stem], form)
        self.written[form] = spelled
        self._known.setdefault(form, stem)

    def places(self, texts: Sequence[str], languages: Sequence[str]) -> list[list[tuple[int, str]]]:
        """For each text in its language, where the words stand: the number of the text's word, the question's stem."""
        split = [words(text) for text in texts]
        stems = self._stemmer.stems_of_words([word for text in split for word in text])
        found = []
        for text, language in zip(split, languages, strict=True):
            places = []
            for position, word in enumerate(text):
                stem = self._known.get(stems[word])
                if stem is None and language in LANGUAGES_WITH_FORMS:
                    stem = next((self._known[form] for form in forms([word], language) if form in self._known), None)
                if stem is not None:
                    places.append((position, stem))
            found.append(places)
        return found

    def held(self, texts: Sequence[str], languages: Sequence[str]) -> list[frozenset[str]]:
        """For each text in its language which of the words it holds."""
        return [frozenset(stem for _, stem in places) for places in self.places(texts, languages)]


def _all_forms(word: str) -> Iterable[str]:
    return [form for language in sorted(LANGUAGES_WITH_FORMS) for form in forms(words(word), language)]
