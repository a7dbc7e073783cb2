"""search_documents: looks for passages in one collection."""

from __future__ import annotations

from tasks.resources import retriever
from tasks.tool import Gave, ToolRun, tool


@tool(
    "Searches one collection of documents and gives the passages that fit the query best.",
    parameters={
        "collection": {"type": "string", "description": "The collection to search."},
        "query": {
            "type": "string",
            "description": "What to search for, as a whole question that needs nothing of the conversation.",
        },
    },
    tells_count=True,
)
def search_documents(run: ToolRun, collection: str, query: str) -> Gave:
    """Twice the passages that an answer gets, since several collections share its places. Raises RetrievalFailed."""
    found = retriever(run.settings).search(collection, query, run.settings.passages_limit * 2)
    count = {"count": len(found.passages)}
    return Gave(found.passages, found.confidence, data=count, words_alone=found.words_alone)
