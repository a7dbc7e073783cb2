"""The documentation is the sample documents: a newcomer's plain questions are answered from it, or plainly refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import pytest

from pipeline.settings import Settings
from pipeline.store.documents import DocumentIndex
from tasks.llm.extractive import ExtractiveModel
from tasks.llm.model import Answer, Question, Turn
from tasks.rag.fts import FtsRetriever
from tasks.rag.fusion import fuse
from tasks.rag.ingest import add_path
from tasks.rag.plan import make_plan
from tests.docs import pages

PASSAGES_LIMIT = 5


@dataclasses.dataclass(frozen=True)
class Asked:
    """A question, the page that answers it, a phrase that the answer must hold, and what was asked before."""

    question: str
    page: str
    phrase: str
    before: tuple[str, ...] = ()


ANSWERED = [
    Asked("What is Spanfeed?", "index.md", "Spanfeed is a chat backend that shows what it is doing, live."),
    Asked("How do I change the port?", "how-to/stop-and-restart.md", "make run PORT=5001"),
    Asked("How do I choose another port?", "how-to/stop-and-restart.md", "make run PORT=5001"),
    Asked("Where is my data stored?", "how-to/stop-and-restart.md", "Your data is stored in the home folder"),
    Asked("How do I add my own documents?", "how-to/add-your-documents.md", "run spanfeed documents add"),
    Asked("Which file formats can be read?", "how-to/add-your-documents.md", "plain text (.txt), Markdown"),
    Asked("How do I remove a document?", "how-to/add-your-documents.md", "run spanfeed documents remove"),
    Asked("What is a collection?", "how-to/add-your-documents.md", "A collection is a named set of documents."),
    Asked("How long are events kept?", "how-to/clean-up-old-events.md", "keeps the events of chat stages for 24 hours"),
    Asked("How do I delete old events?", "how-to/clean-up-old-events.md", "run spanfeed events cleanup"),
    Asked("How do I use PostgreSQL?", "how-to/use-postgresql-and-redis.md", "set DATABASE_URL"),
    Asked("How must Redis be configured?", "how-to/use-postgresql-and-redis.md", "maxmemory-policy noeviction"),
    Asked("Which events does the feed send?", "reference/events.md", "The feed sends an event when a stage starts"),
    Asked("What does the status progress mean?", "reference/events.md", "the stage is still at work"),
    Asked("How do I use a language model?", "how-to/use-a-model.md", "set OPENAI_BASE_URL, OPENAI_MODEL"),
    Asked("Can I use Ollama?", "how-to/use-a-model.md", "a local one such as Ollama"),
    Asked("How do I stop Spanfeed?", "how-to/stop-and-restart.md", "press Ctrl-C"),
    Asked("Where do I find the API key?", "how-to/stop-and-restart.md", "kept in the file api_key in the home folder"),
    Asked("How do I delete all my data?", "how-to/stop-and-restart.md", "stop Spanfeed and delete the home folder"),
    Asked("What is a session token?", "glossary.md", "a short-lived credential for one session"),
    Asked("What is the epoch?", "glossary.md", "a number that changes when Redis has lost its data"),
    Asked("Can I export the events as CSV?", "reference/http-api.md", "export the same events as CSV"),
    Asked("What are open feeds?", "how-to/connect-a-frontend.md", "Open feeds are WebSocket feeds that need no key"),
    Asked("How do I allow another origin?", "how-to/connect-a-frontend.md", "SPANFEED_ALLOWED_ORIGINS"),
    Asked("How do I poll for events instead of using a WebSocket?", "how-to/connect-a-frontend.md", "?after=<id>"),
    Asked(
        "How do I resume after a lost connection?", "how-to/connect-a-frontend.md", "open the feed again with ?after="
    ),
    Asked("Where do I find Flower?", "how-to/look-at-flower-and-traces.md", "http://127.0.0.1:5555/"),
    Asked(
        "How do I send traces to Jaeger?", "how-to/look-at-flower-and-traces.md", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
    ),
    Asked("How do I report progress?", "how-to/add-a-stage-or-report-progress.md", "call report_progress"),
    Asked("What happens when a worker's child is killed?", "explanation/exactly-one-ending.md", "gives the stage back"),
    Asked("Why was my question refused?", "explanation/retrieval.md", "when the passages hold too little of it"),
    Asked(
        "What is the longest chat message?", "reference/settings.md", "The longest chat message is 16,384 characters"
    ),
    Asked("Which processes does Spanfeed have?", "how-to/run-in-production.md", "seven kinds of processes"),
    Asked("Who may chat without a key?", "explanation/security.md", "only where SPANFEED_PUBLIC_CHAT lets them"),
    Asked("What is an event?", "reference/events.md", "An event is a record that a piece of work has begun"),
    Asked("What is a stage?", "how-to/add-a-stage-or-report-progress.md", "A stage is a step of answering a message"),
    Asked("Can I use PDF files?", "how-to/add-your-documents.md", "You can use PDF files whose text can be selected"),
    Asked("Which languages are supported?", "reference/events.md", "English, Kiswahili and French"),
    Asked("Is my data sent to OpenAI?", "how-to/use-a-model.md", "only if OPENAI_BASE_URL names OpenAI's endpoint"),
    Asked("Does it work offline?", "how-to/stop-and-restart.md", "works offline, without any network"),
    Asked("Where are the logs?", "how-to/look-at-flower-and-traces.md", "each process writes its log to var/logs"),
    Asked("How do I back up my data?", "how-to/stop-and-restart.md", "copy the home folder"),
    Asked("How do I cancel a message?", "how-to/troubleshoot.md", "press Stop on the page"),
    Asked(
        "What happens if Redis goes down?", "how-to/use-postgresql-and-redis.md", "Messages are accepted all the same"
    ),
    Asked("What happens when the recorder stops?", "explanation/nothing-missed.md", "the feed goes on"),
    Asked("Can I use my GovStack frontend?", "how-to/connect-a-frontend.md", "once it has the new base URL and key"),
    Asked("What is the licence?", "index.md", "Apache License, version 2.0"),
    Asked(
        "and how do I turn it off?", "how-to/look-at-flower-and-traces.md", "To turn Flower off", ("What is Flower?",)
    ),
    Asked(
        "and how do I turn them off?",
        "how-to/connect-a-frontend.md",
        "unset SPANFEED_OPEN_FEEDS",
        ("What are open feeds?",),
    ),
    Asked(
        "and how do I turn it off?",
        "how-to/use-a-model.md",
        "unset OPENAI_BASE_URL",
        ("How do I use a language model?",),
    ),
    Asked("What about Redis?", "how-to/use-postgresql-and-redis.md", "set REDIS_URL", ("How do I use PostgreSQL?",)),
    Asked("How do I open the dashboard?", "how-to/read-the-dashboard.md", "/dashboard"),
]

REFUSED = [
    "How do I bake sourdough bread?",
    "What is the capital of Mongolia?",
    "Who won the football world cup?",
    "How do I deploy it on Kubernetes?",
    "Does Spanfeed support Kafka?",
    "How do I convert a video to MP4?",
    "Is there an Android app?",
    "How do I reset my PayPal password?",
    "What does a subscription cost per month?",
    "Is there a Docker image?",
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DocumentIndex]:
    """The documentation, indexed as `make run` does it."""
    made = DocumentIndex(tmp_path_factory.mktemp("docs") / "documents.db")
    add_path(made, "docs", pages.DOCS, mirror=True)
    yield made
    made.close()


def _ask(index: DocumentIndex, message: str, before: Sequence[str] = ()) -> Answer:
    retriever = FtsRetriever(index)
    history = tuple(Turn("user", text) for text in before)
    plan = make_plan(message, history, [found.name for found in retriever.collections()])
    results = [retriever.search(call.collection, call.query, PASSAGES_LIMIT * 2) for call in plan.calls]
    found = fuse(results, PASSAGES_LIMIT)
    question = Question(message, plan.standalone, "en", plan.mode, history, found.passages, found.confidence)
    stream = ExtractiveModel(Settings().refusal_threshold, words_per_second=0).stream(question, lambda: False)
    while True:
        try:
            next(stream)
        except StopIteration as end:
            answer: Answer = end.value
            return answer


@pytest.mark.parametrize("asked", ANSWERED, ids=lambda asked: " ".join([*asked.before, asked.question]))
def test_a_plain_question_is_answered_from_the_right_page(index: DocumentIndex, asked: Asked) -> None:
    """A newcomer would be told nothing, or something else, about what the documentation holds."""
    answer = _ask(index, asked.question, asked.before)
    assert not answer.refused, answer.text
    quotes = {source.path: source.snippet for source in answer.sources if asked.phrase in source.snippet}
    assert asked.page in quotes, answer.text


@pytest.mark.parametrize("question", REFUSED)
def test_what_the_documentation_does_not_hold_is_refused(index: DocumentIndex, question: str) -> None:
    """A newcomer would be given a sentence that has nothing to do with the question."""
    answer = _ask(index, question)
    assert answer.refused, answer.text
    assert answer.sources == ()


def test_the_documentation_is_indexed_whole(index: DocumentIndex) -> None:
    """A page that cannot be read would never be found."""
    assert [listed.path for listed in index.documents("docs")] == sorted(
        path.relative_to(pages.DOCS).as_posix() for path in pages.DOCS.rglob("*.md")
    )
