"""collection_stats: says how many documents and passages there are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.catalog import language_of
from tasks.rag.retriever import Collection
from tasks.rag.terms import folded, words
from tasks.resources import retriever
from tasks.tool import Gave, ToolRun, tool

# The whole message, without the names of collections: "how many documents do I need for a visa" asks something else.
_ASKED = re.compile(
    r"(?:and )?(?:how many|what is the number of) (?:documents|docs|files|pages|passages|collections)"
    r"(?: (?:are|do|does|have|has|you|there|it|in|total|all|indexed|stored|loaded|hold|contain|know|the|index"
    r"|collection|of))*"
    r"|(?:et )?combien de (?:documents|fichiers|pages|passages|collections)"
    r"(?: (?:y|a|t|il|avez|vous|as|tu|contient|compte|sont|indexes|en|tout|la|collection|dans|index))*"
    r"|(?:je )?(?:kuna|una|mna|ina|zipo) (?:nyaraka|hati|faili|kurasa|mikusanyiko) ngapi"
    r"(?: (?:kwa|jumla|katika|kwenye|mkusanyiko|wa|zipo))*"
    r"|(?:nyaraka|hati|faili|kurasa|mikusanyiko) (?:ziko |zipo )?ngapi(?: (?:zipo|katika|kwenye|mkusanyiko|wa))*"
)
_ONE = {
    "en": "The collection {name} holds {documents} with {passages}.",
    "fr": "La collection {name} contient {documents}, soit {passages}.",
    "sw": "Mkusanyiko wa {name} una {documents} zenye {passages}.",
}
_ALL = {
    "en": "There are {documents} with {passages} in {collections}: {names}.",
    "fr": "Il y a {documents}, soit {passages}, dans {collections} : {names}.",
    "sw": "Kuna {documents} zenye {passages} katika {collections}: {names}.",
}
_COUNTED = {
    "en": {"documents": "document documents", "passages": "passage passages", "collections": "collection collections"},
    "fr": {"documents": "document documents", "passages": "passage passages", "collections": "collection collections"},
    "sw": {"documents": "nyaraka nyaraka", "passages": "vifungu vifungu", "collections": "mkusanyiko mikusanyiko"},
}


def asked(message: str, collections: Sequence[str]) -> list[Mapping[str, Any]]:
    """One call for each collection that a question of the kind "how many documents" names, else one for all."""
    plain = words(folded(message))
    named = [name for name in collections if set(words(folded(name))) <= set(plain)]
    left = set().union(*(words(folded(name)) for name in named))
    if not _ASKED.fullmatch(" ".join(word for word in plain if word not in left)) and not _ASKED.fullmatch(
        " ".join(plain)
    ):
        return []
    if not named and len(collections) == 1:
        named = list(collections)
    return [{"collection": name} for name in named] or [{}]


@tool(
    "Counts the documents and passages of one collection, or of all when none is named.",
    parameters={"collection": {"type": "string", "description": "The collection to count."}},
    optional=("collection",),
    asked=asked,
)
def collection_stats(run: ToolRun, collection: str = "") -> Gave:
    """Counts and says it in the message's language. Raises RetrievalFailed."""
    counted = retriever(run.settings).collections()
    language = language_of(run.language)
    if collection:
        one = next((found for found in counted if found.name == collection), Collection(collection, 0, 0))
        data = {"documents": one.documents, "passages": one.chunks}
        return Gave(statement=_ONE[language].format(name=one.name, **_said(data, language)), data=data)
    documents, chunks = sum(found.documents for found in counted), sum(found.chunks for found in counted)
    data = {"collections": len(counted), "documents": documents, "passages": chunks}
    names = ", ".join(f"{found.name} ({found.documents})" for found in counted) or "-"
    return Gave(statement=_ALL[language].format(names=names, **_said(data, language)), data=data)


def _said(counted: Mapping[str, int], language: str) -> dict[str, str]:
    """Each number with its noun, which comes first in Kiswahili."""
    said = {}
    for name, number in counted.items():
        one, many = _COUNTED[language][name].split()
        noun = one if number == 1 or (language == "fr" and number == 0) else many
        said[name] = f"{noun} {number}" if language == "sw" else f"{number} {noun}"
    return said
